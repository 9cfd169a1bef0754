"""Sixteen float32 numbers as one value inside numba functions: a vector register, or two or four of narrower machines.

Compilers turn plain loops over channels into vector code only where they can prove that arrays do not overlap and
indices are not negative, which fails for depthwise convolutions. Here the vectors are written out, in LLVM's own vector
type, so what is compiled does not depend on such proofs, and kernels compile in seconds.

`load` and `store` take float32 arrays, and uint16 arrays that hold bfloat16: the upper half of a float32, rounded to
nearest even when it is written.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from segnext.kernels import compiling

WIDTH = 16
POWER = [math.log(2) ** n / math.factorial(n) for n in range(7)]  # polynomial for 2 ** x, within 2e-7 for |x| <= 0.5
# Polynomials in 2 (x / end)^2 - 1 that, times x, are the normal distribution's cumulative function and GELU's
# derivative, both less a half: of least largest error, found by weighted Chebyshev fits. For float32 (times x 1.6e-7,
# and 2.9e-6), and shorter ones for results that are rounded to bfloat16 (3.8e-5, and 2.6e-4).
END, SHORT_END = 5.0, 4.0
CUMULATIVE = [
    0.141363785, -0.0702962801, 0.0515205227, -0.0404426083, 0.0314421691, -0.0232686568, 0.0164021924,
    -0.0111643281, 0.00641047349, -0.00268558739, 0.00172283454, -0.00161326025, 0.000608714821,
]  # fmt: skip
SLOPE = [
    0.142133653, -0.0750997886, 0.0665815398, -0.0720790997, 0.0802137405, -0.0819139555, 0.0806355923,
    -0.0773049071, 0.051388327, -0.0178740043, 0.0177262835, -0.0246614069, 0.0102560362,
]  # fmt: skip
SHORT_CUMULATIVE = [
    0.175947751, -0.0843574699, 0.0560508115, -0.0364953788, 0.0216217059, -0.0132599798, 0.00821128466,
    -0.00272901364,
]  # fmt: skip
SHORT_SLOPE = [
    0.18317128, -0.113776331, 0.117529819, -0.11339715, 0.0830419571, -0.0742218895, 0.0771484778, -0.034434734,
]  # fmt: skip
# Nothing that lets a compiler choose how it rounds: it would choose by what it inlines, and what a process compiles
# would differ from what the next one finds kept.
FLAGS = ("nsz",)
FLOATS = ir.VectorType(ir.FloatType(), WIDTH)
WORDS = ir.VectorType(ir.IntType(32), WIDTH)
HALVES = ir.VectorType(ir.IntType(16), WIDTH)


class _Brain(ir.types.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"


BRAINS = ir.VectorType(_Brain(), WIDTH)
ROUNDS = bool(binding.get_host_cpu_features().get("avx512bf16"))  # whether the processor rounds to bfloat16

compiled = compiling.compiled(error_model="numpy")
inlined = compiling.compiled(error_model="numpy", forceinline=True)  # compiled for what each of its calls is given


class _Lanes(types.Type):
    pass


LANES: Any = _Lanes("lanes")


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOATS)  # type: ignore[no-untyped-call]


def _words(value: int) -> ir.Constant:
    return ir.Constant(WORDS, [ir.Constant(ir.IntType(32), value)] * WIDTH)


def _floats(value: float) -> ir.Constant:
    return ir.Constant(FLOATS, [ir.Constant(ir.FloatType(), float(np.float32(value)))] * WIDTH)


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a b + c, rounded once."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f32")  # type: ignore[no-untyped-call]
    return builder.call(function, [a, b, c])


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def read(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Emit what reads lanes from a flat array of type `kind`, from `index` on."""
    if kind.dtype == types.float32:
        return builder.load(_place(context, builder, kind, array, index, FLOATS), align=4)
    halves = builder.load(_place(context, builder, kind, array, index, HALVES), align=2)
    return builder.bitcast(builder.shl(builder.zext(halves, WORDS), _words(16)), FLOATS)


def write(context: Any, builder: Any, kind: Any, array: Any, index: Any, value: Any) -> None:
    """Emit what writes lanes into a flat array of type `kind`, from `index` on."""
    if kind.dtype == types.float32:
        builder.store(value, _place(context, builder, kind, array, index, FLOATS), align=4)
        return
    place = _place(context, builder, kind, array, index, HALVES)
    if ROUNDS:
        builder.store(builder.bitcast(builder.fptrunc(value, BRAINS), HALVES), place, align=2)
        return
    words = builder.bitcast(value, WORDS)
    odd = builder.and_(builder.lshr(words, _words(16)), _words(1))
    rounded = builder.lshr(builder.add(words, builder.add(odd, _words(0x7FFF))), _words(16))
    builder.store(builder.trunc(rounded, HALVES), place, align=2)


def _load(_: Any, array: Any, index: Any) -> Any:
    """Lanes from a flat array, from `index` on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return read(context, builder, signature.args[0], *args)

    return LANES(array, types.intp), generate


def _store(_: Any, array: Any, index: Any, value: Any) -> Any:
    """Write lanes into a flat array, from `index` on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        write(context, builder, signature.args[0], *args)
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES), generate


def _splat(_: Any, value: Any) -> Any:
    """The same float32 in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero, undefined = ir.Constant(ir.IntType(32), 0), ir.Constant(FLOATS, ir.Undefined)
        first = builder.insert_element(undefined, args[0], zero)
        return builder.shuffle_vector(first, undefined, ir.Constant(WORDS, [zero] * WIDTH))

    return LANES(types.float32), generate


def _operation(arguments: int, emit: Callable[..., Any]) -> Any:
    """A function of lanes to lanes, from what LLVM's builder makes of them."""

    def typed(*values: Any) -> Any:
        return LANES(*[LANES] * arguments), lambda context, builder, signature, args: emit(builder, *args)

    # numba reads the number of arguments from the signature
    wrappers = {
        1: lambda _, a: typed(a),
        2: lambda _, a, b: typed(a, b),
        3: lambda _, a, b, c: typed(a, b, c),
    }
    return intrinsic(wrappers[arguments])


load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
splat: Any = intrinsic(_splat)
add = _operation(2, lambda builder, a, b: builder.fadd(a, b, flags=FLAGS))
sub = _operation(2, lambda builder, a, b: builder.fsub(a, b, flags=FLAGS))
mul = _operation(2, lambda builder, a, b: builder.fmul(a, b, flags=FLAGS))
fma = _operation(3, lambda builder, a, b, c: fused(builder, a, b, c))  # a b + c, rounded once
maximum = _operation(2, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


def _polynomial(builder: Any, x: Any, coefficients: list[float]) -> Any:
    """Even and odd powers each for themselves: half as long a chain of sums that wait for each other."""

    def part(coefficients: list[float]) -> Any:
        result = _floats(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = fused(builder, result, square, _floats(coefficient))
        return result

    square = builder.fmul(x, x, flags=FLAGS)
    return fused(builder, part(coefficients[1::2]), x, part(coefficients[::2]))


def _power_of_two(builder: Any, x: Any) -> Any:
    """The power 2 ** x for -126 <= x <= 0: of the nearest whole number by its bits, of the rest by a polynomial."""
    large = _floats(1.5 * 2**23)  # which, added to x, leaves the whole number in the last bits
    shifted = builder.fadd(x, large)
    power = _polynomial(builder, builder.fsub(x, builder.fsub(shifted, large)), POWER)
    exponent = builder.shl(builder.bitcast(shifted, WORDS), _words(23))
    return builder.bitcast(builder.add(builder.bitcast(power, WORDS), exponent), FLOATS)


def _sigmoid(builder: Any, x: Any, coefficients: list[float], end: float) -> Any:
    """The number 0.5 + x p(x^2) for |x| < end, and beyond it constant; p takes its argument between -1 and 1."""
    for sign, bound in ((">", -end), ("<", end)):
        limit = _floats(bound)
        x = builder.select(builder.fcmp_ordered(sign, limit, x), limit, x)  # what is no number stays so
    argument = fused(builder, builder.fmul(x, x, flags=FLAGS), _floats(2 / end**2), _floats(-1.0))
    return fused(builder, _polynomial(builder, argument, coefficients), x, _floats(0.5))


def _sigmoidal(coefficients: list[float], short: list[float]) -> Any:
    """A function of lanes that is as exact as the numbers of an array are."""

    def typed(_: Any, x: Any, array: Any) -> Any:
        chosen = (coefficients, END) if array.dtype == types.float32 else (short, SHORT_END)
        return LANES(LANES, array), lambda context, builder, signature, args: _sigmoid(builder, args[0], *chosen)

    return intrinsic(typed)


_exp2 = _operation(1, _power_of_two)
_cumulative = _sigmoidal(CUMULATIVE, SHORT_CUMULATIVE)
# GELU's derivative of x, as exact as an array's numbers: within 8e-6 for float32, 6e-4 for bfloat16
gelu_slope = _sigmoidal(SLOPE, SHORT_SLOPE)


@compiled
def constant(value: float) -> Any:
    """The same number in all lanes."""
    return splat(np.float32(value))


@compiled
def exp(x: Any) -> Any:
    """The exponential of x <= 0, within 3e-7 of it; below -60 that of -60.

    So that what it is multiplied by seldom leaves the normal numbers, beyond which some processors crawl.
    """
    return _exp2(mul(maximum(x, constant(-60.0)), constant(1.4426950408889634)))


@compiled
def gelu(x: Any, array: Any) -> Any:
    """GELU(x), as exact as the numbers of `array`.

    For float32 within 1e-6 for |x| < 5, and 3e-7 |x| beyond; for bfloat16 within 4e-5 for |x| < 4, and 4e-5 |x| beyond.
    """
    return mul(_cumulative(x, array), x)


def _reduction(name: str) -> Any:
    def reduce(_: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            half, result = WIDTH, args[0]
            while half > 1:
                half //= 2
                low, high = ([ir.Constant(ir.IntType(32), n + skip) for n in range(half)] for skip in (0, half))
                kind = ir.VectorType(ir.IntType(32), half)
                parts = [builder.shuffle_vector(result, result, ir.Constant(kind, side)) for side in (low, high)]
                if name == "sum":
                    result = builder.fadd(*parts, flags=FLAGS)
                else:
                    result = builder.select(builder.fcmp_ordered(">", *parts), *parts)
            return builder.extract_element(result, ir.Constant(ir.IntType(32), 0))

        return types.float32(LANES), generate

    return intrinsic(reduce)


total = _reduction("sum")  # of all lanes
highest = _reduction("highest")  # of all lanes
