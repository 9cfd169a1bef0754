"""Several `lanes` as one value inside numba functions: those of neighbouring positions, or of several taps.

Code over positions says once what is done at each; LLVM keeps all lanes of a block in registers. How many there are is
part of the type, so that what takes two blocks knows which shapes they have.
"""

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from segnext.kernels.lanes import FLAGS, FLOATS, LANES, fused, read, write


class _Block(types.Type):
    """`count` lanes."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"lanes[{count}]")


@register_model(_Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.ArrayType(FLOATS, kind.count))  # type: ignore[no-untyped-call]


def _parts(builder: Any, block: Any) -> list[Any]:
    return [builder.extract_value(block, n) for n in range(block.type.count)]


def _whole(builder: Any, lanes: list[Any]) -> Any:
    block = ir.Constant(ir.ArrayType(FLOATS, len(lanes)), ir.Undefined)
    for n, value in enumerate(lanes):
        block = builder.insert_value(block, value, n)
    return block


def _places(builder: Any, grid: Any, rows: int, columns: int) -> list[Any]:
    """Indices of a grid (start, pitch, step), row after row."""
    start, pitch, step = grid
    places = []
    for _ in range(rows):
        index = start
        for _ in range(columns):
            places.append(index)
            index = builder.add(index, step)
        start = builder.add(start, pitch)
    return places


@cache
def grids(rows: int, columns: int) -> Any:
    """A function of (flat array, index, pitch, step): a block of rows `pitch` apart, of columns `step` apart."""

    def typed(_: Any, array: Any, index: Any, pitch: Any, step: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            places = _places(builder, args[1:], rows, columns)
            return _whole(builder, [read(context, builder, signature.args[0], args[0], place) for place in places])

        return _Block(rows * columns)(array, types.intp, types.intp, types.intp), generate

    return intrinsic(typed)


@cache
def store_grids(rows: int, columns: int) -> Any:
    """A function of (flat array, index, pitch, step, block) that writes what `grids` reads."""

    def typed(_: Any, array: Any, index: Any, pitch: Any, step: Any, block: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            places = _places(builder, args[1:4], rows, columns)
            for place, value in zip(places, _parts(builder, args[4]), strict=True):
                write(context, builder, signature.args[0], args[0], place, value)
            return context.get_dummy_value()

        return types.void(array, types.intp, types.intp, types.intp, block), generate

    return intrinsic(typed)


@cache
def loads(count: int) -> Any:
    """A function of (flat array, index, step): a block of `count` lanes, the first at `index`, `step` between them."""

    def typed(_: Any, array: Any, index: Any, step: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            places = _places(builder, (args[1], args[2], args[2]), 1, count)
            return _whole(builder, [read(context, builder, signature.args[0], args[0], place) for place in places])

        return _Block(count)(array, types.intp, types.intp), generate

    return intrinsic(typed)


def _stores(_: Any, array: Any, index: Any, step: Any, block: Any) -> Any:
    """Write a block into a flat array, from `index` on, `step` between its lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _parts(builder, args[3])
        for place, value in zip(_places(builder, (args[1], args[2], args[2]), 1, len(lanes)), lanes, strict=True):
            write(context, builder, signature.args[0], args[0], place, value)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, block), generate


def _convolved(_: Any, x: Any, taps: Any, sums: Any) -> Any:
    """sums[n] + x[n] taps[0] + x[n + 1] taps[1] + ...; x has a lane more than sums for each tap but one."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, taps, sums = (_parts(builder, block) for block in args)
        for j, tap in enumerate(taps):
            sums = [fused(builder, x[n + j], tap, value) for n, value in enumerate(sums)]
        return _whole(builder, sums)

    return sums(x, taps, sums), generate


def _correlated(_: Any, x: Any, grad: Any, sums: Any) -> Any:
    """sums[j] + x[j] grad[0] + x[j + 1] grad[1] + ...: what taps have as gradient; x is as long as for `convolved`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, grad, sums = (_parts(builder, block) for block in args)
        results = []
        for j, even in enumerate(sums):  # every other position for itself: half as long a chain
            odd = builder.fmul(x[j + 1], grad[1], flags=FLAGS)
            even = fused(builder, x[j], grad[0], even)
            for n in range(2, len(grad), 2):
                even = fused(builder, x[j + n], grad[n], even)
                odd = fused(builder, x[j + n + 1], grad[n + 1], odd)
            results.append(builder.fadd(even, odd, flags=FLAGS))
        return _whole(builder, results)

    return sums(x, grad, sums), generate


def _spread(_: Any, x: Any, taps: Any, sums: Any) -> Any:
    """sums[i, n] + taps[i] x[n], for sums row after row."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, taps, sums = (_parts(builder, block) for block in args)
        pairs = [(tap, value) for tap in taps for value in x]
        return _whole(builder, [fused(builder, value, tap, s) for (tap, value), s in zip(pairs, sums, strict=True)])

    return sums(x, taps, sums), generate


def _gathered(_: Any, x: Any, grad: Any, sums: Any) -> Any:
    """sums[i] + the sum over n of grad[i, n] x[n], for grad row after row."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, grad, sums = (_parts(builder, block) for block in args)
        for n, value in enumerate(x):
            sums = [fused(builder, value, grad[i * len(x) + n], s) for i, s in enumerate(sums)]
        return _whole(builder, sums)

    return sums(x, grad, sums), generate


def _each(_: Any, block: Any, factor: Any, sums: Any) -> Any:
    """sums[n] + block[n] factor."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block, sums = _parts(builder, args[0]), _parts(builder, args[2])
        return _whole(builder, [fused(builder, a, args[1], s) for a, s in zip(block, sums, strict=True)])

    return sums(block, LANES, sums), generate


def _total(_: Any, block: Any) -> Any:
    """The sum of all lanes of a block."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _parts(builder, args[0])
        while len(lanes) > 1:
            pairs = [builder.fadd(a, b, flags=FLAGS) for a, b in zip(lanes[::2], lanes[1::2], strict=False)]
            lanes = pairs + lanes[2 * len(pairs) :]
        return lanes[0]

    return LANES(block), generate


def _appended(_: Any, block: Any, value: Any) -> Any:
    """A block with another lane at the end."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _whole(builder, [*_parts(builder, args[0]), args[1]])

    return _Block(block.count + 1)(block, LANES), generate


def _rest(_: Any, block: Any) -> Any:
    """All lanes but the first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _whole(builder, _parts(builder, args[0])[1:])

    return _Block(block.count - 1)(block), generate


def _leading(_: Any, block: Any) -> Any:
    """The first lanes of a block."""
    return LANES(block), lambda context, builder, signature, args: builder.extract_value(args[0], 0)


stores: Any = intrinsic(_stores)
convolved: Any = intrinsic(_convolved)
correlated: Any = intrinsic(_correlated)
spread: Any = intrinsic(_spread)
gathered: Any = intrinsic(_gathered)
each: Any = intrinsic(_each)
total: Any = intrinsic(_total)
appended: Any = intrinsic(_appended)
rest: Any = intrinsic(_rest)
leading: Any = intrinsic(_leading)
