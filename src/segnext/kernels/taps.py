"""Depthwise convolution of one row of positions, and its weights' gradient, on a slice of the channels in float32.

A slice is SLICE channels. Buffers hold them position after position and row after row; around a map there are zeros, on
the right up to a multiple of BLOCK positions more, so that no kernel asks where a map ends. Rows may lie in a ring: the
row after the last one is the first.
"""

from typing import Any

import numpy as np

from segnext.kernels.lanes import WIDTH, add, compiled, fma, load, mul, store

SLICE = 32
SHORT = 5  # taps of a row that are never left out
BLOCK = 6  # positions done together: so many sums are kept in registers, while each weight is read once


@compiled
def blocks(width: int) -> int:
    """Positions of a row, up to a multiple of BLOCK."""
    return (width + BLOCK - 1) // BLOCK * BLOCK


@compiled
def zeros(count: int) -> Any:
    """A buffer of zeros that begins with a cache line, so that no lanes lie in two of them."""
    whole = np.zeros(count + WIDTH, np.float32)
    skip = -(whole.ctypes.data // 4) % WIDTH
    return whole[skip : skip + count]


@compiled
def read_row(source: Any, start: int, channels: int, buffer: Any, to: int, width: int) -> None:
    """Copy a row's slice out of a map (..., channels), from `start` on, to `to` on in a buffer."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            store(buffer, to + w * SLICE + c, load(source, start + w * channels + c))


@compiled
def write_row(buffer: Any, start: int, target: Any, to: int, channels: int, width: int) -> None:
    """Copy a row of a buffer into a map (..., channels), from `to` on."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            store(target, to + w * channels + c, load(buffer, start + w * SLICE + c))


@compiled
def copy(source: Any, start: int, buffer: Any, to: int, count: int) -> None:
    """Copy `count` numbers, a multiple of WIDTH, from `start` on, to `to` on in a buffer.

    Numba compiles a slice that is assigned to another for much longer: with it, what its error message would say.
    """
    for o in range(0, count, WIDTH):
        store(buffer, to + o, load(source, start + o))


@compiled
def _inside(w: int, taps: int, width: int) -> tuple[int, int]:
    """Taps of a kernel's row that meet the map's columns at any of the BLOCK positions from w on: first, and end.

    All of a short row's: a compiler that knows how many unrolls them.
    """
    if taps <= SHORT:
        return 0, taps
    return max(0, taps // 2 - w - BLOCK + 1), min(taps, width + taps // 2 - w)


@compiled
def rows_inside(y: int, taps: int, height: int) -> tuple[int, int]:
    """Taps of a kernel's column that meet the map's rows at row y: first, and how many."""
    first = max(0, taps // 2 - y)
    return first, min(taps, height + taps // 2 - y) - first


@compiled
def convolve(
    x: Any, first: int, ring: int, pitch: int, at: int, weight: Any, kh: int, kw: int, out: Any, to: int, width: int
) -> None:
    """Add to a row of `out` the convolution of the rows of `x` from `first` on.

    Args:
        x: flat buffer of `ring` rows.
        first: row of the kernel's first taps.
        ring: rows in the ring.
        pitch: numbers from a row to the next.
        at: where in a row the first tap of the first position lies.
        weight: (kh * kw * SLICE,), tap after tap.
        kh: height of the kernel.
        kw: width of the kernel.
        out: flat buffer.
        to: its first number that is written.
        width: of the map; up to BLOCK - 1 positions more are written.
    """
    for w in range(0, width, BLOCK):
        left, right = _inside(w, kw, width)
        for c in range(0, SLICE, WIDTH):
            o = to + w * SLICE + c
            s0, s1, s2 = load(out, o), load(out, o + SLICE), load(out, o + 2 * SLICE)
            s3, s4, s5 = load(out, o + 3 * SLICE), load(out, o + 4 * SLICE), load(out, o + 5 * SLICE)
            for i in range(kh):
                row = first + i if first + i < ring else first + i - ring
                p = row * pitch + at + (w + left) * SLICE + c
                q = (i * kw + left) * SLICE + c
                for _ in range(left, right):
                    k = load(weight, q)
                    s0 = fma(load(x, p), k, s0)
                    s1 = fma(load(x, p + SLICE), k, s1)
                    s2 = fma(load(x, p + 2 * SLICE), k, s2)
                    s3 = fma(load(x, p + 3 * SLICE), k, s3)
                    s4 = fma(load(x, p + 4 * SLICE), k, s4)
                    s5 = fma(load(x, p + 5 * SLICE), k, s5)
                    p += SLICE
                    q += SLICE
            store(out, o, s0)
            store(out, o + SLICE, s1)
            store(out, o + 2 * SLICE, s2)
            store(out, o + 3 * SLICE, s3)
            store(out, o + 4 * SLICE, s4)
            store(out, o + 5 * SLICE, s5)


@compiled
def correlate(
    x: Any, first: int, ring: int, pitch: int, at: int, grad: Any, start: int, kh: int, kw: int, sums: Any, bias: int,
    width: int,
) -> None:  # fmt: skip
    """Add to `sums` the gradients of a convolution's weights and bias, of one row of its result.

    Args:
        x: as of `convolve`, and so are the next four.
        first: see there.
        ring: see there.
        pitch: see there.
        at: see there.
        grad: flat buffer with the gradient of the row; zeros from `width` up to a multiple of BLOCK.
        start: its first number.
        kh: height of the kernel.
        kw: width of the kernel.
        sums: flat, tap after tap.
        bias: where in `sums` that of the bias lies.
        width: of the map.
    """
    for w in range(0, width, BLOCK):
        left, right = _inside(w, kw, width)
        for c in range(0, SLICE, WIDTH):
            o = start + w * SLICE + c
            g0, g1, g2 = load(grad, o), load(grad, o + SLICE), load(grad, o + 2 * SLICE)
            g3, g4, g5 = load(grad, o + 3 * SLICE), load(grad, o + 4 * SLICE), load(grad, o + 5 * SLICE)
            for i in range(kh):
                row = first + i if first + i < ring else first + i - ring
                p = row * pitch + at + (w + left) * SLICE + c
                q = (i * kw + left) * SLICE + c
                for _ in range(left, right):
                    even = fma(g0, load(x, p), load(sums, q))
                    odd = mul(g1, load(x, p + SLICE))
                    even = fma(g2, load(x, p + 2 * SLICE), even)
                    odd = fma(g3, load(x, p + 3 * SLICE), odd)
                    even = fma(g4, load(x, p + 4 * SLICE), even)
                    odd = fma(g5, load(x, p + 5 * SLICE), odd)
                    store(sums, q, add(even, odd))
                    p += SLICE
                    q += SLICE
            whole = add(add(add(g0, g1), add(g2, g3)), add(g4, g5))
            store(sums, bias + c, add(load(sums, bias + c), whole))
