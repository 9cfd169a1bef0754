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
TALL = 3  # rows of results done together for a column of taps, so that each row is read a third as often


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


@compiled
def rows_reached(y: int, taps: int, height: int) -> tuple[int, int, int]:
    """Rows of the map that TALL results from row y on need: first, and end; and the tap that the first has for row y.

    Taps are those of a `tall` kernel.
    """
    first = max(0, y - taps // 2)
    return first, min(height, y + TALL + taps // 2), first - y + taps // 2 + TALL - 1


@compiled
def convolve_down(
    x: Any, first: int, end: int, ring: int, pitch: int, at: int, weight: Any, tap: int, out: Any, to: int,
    out_pitch: int, width: int,
) -> None:  # fmt: skip
    """Add to TALL rows of `out` the convolution of the rows of `x` with a column of taps.

    Args:
        x: as of `convolve`, and so are ring, pitch and width.
        first: of `rows_reached`, and so are end and tap.
        end: see there.
        ring: see `convolve`.
        pitch: see there.
        at: where in a row the first position lies.
        weight: flat, TALL - 1 rows of zeros before the taps and after them.
        tap: see first.
        out: flat buffer.
        to: its first number that is written.
        out_pitch: numbers from a row of it to the next.
        width: see `convolve`.
    """
    for w in range(0, width, BLOCK):
        for c in range(0, SLICE, WIDTH):
            first_row = to + w * SLICE + c
            second_row, third_row = first_row + out_pitch, first_row + 2 * out_pitch
            a0, a1, a2 = load(out, first_row), load(out, first_row + 1 * SLICE), load(out, first_row + 2 * SLICE)
            a3, a4, a5 = (
                load(out, first_row + 3 * SLICE),
                load(out, first_row + 4 * SLICE),
                load(out, first_row + 5 * SLICE),
            )
            b0, b1, b2 = load(out, second_row), load(out, second_row + 1 * SLICE), load(out, second_row + 2 * SLICE)
            b3, b4, b5 = (
                load(out, second_row + 3 * SLICE),
                load(out, second_row + 4 * SLICE),
                load(out, second_row + 5 * SLICE),
            )
            d0, d1, d2 = load(out, third_row), load(out, third_row + 1 * SLICE), load(out, third_row + 2 * SLICE)
            d3, d4, d5 = (
                load(out, third_row + 3 * SLICE),
                load(out, third_row + 4 * SLICE),
                load(out, third_row + 5 * SLICE),
            )
            slot, q = first % ring, tap * SLICE + c
            for _ in range(first, end):
                p = slot * pitch + at + w * SLICE + c
                k0, k1, k2 = load(weight, q), load(weight, q - SLICE), load(weight, q - 2 * SLICE)
                v = load(x, p)
                a0, b0, d0 = fma(v, k0, a0), fma(v, k1, b0), fma(v, k2, d0)
                v = load(x, p + 1 * SLICE)
                a1, b1, d1 = fma(v, k0, a1), fma(v, k1, b1), fma(v, k2, d1)
                v = load(x, p + 2 * SLICE)
                a2, b2, d2 = fma(v, k0, a2), fma(v, k1, b2), fma(v, k2, d2)
                v = load(x, p + 3 * SLICE)
                a3, b3, d3 = fma(v, k0, a3), fma(v, k1, b3), fma(v, k2, d3)
                v = load(x, p + 4 * SLICE)
                a4, b4, d4 = fma(v, k0, a4), fma(v, k1, b4), fma(v, k2, d4)
                v = load(x, p + 5 * SLICE)
                a5, b5, d5 = fma(v, k0, a5), fma(v, k1, b5), fma(v, k2, d5)
                slot = slot + 1 if slot + 1 < ring else 0
                q += SLICE
            store(out, first_row, a0)
            store(out, first_row + 1 * SLICE, a1)
            store(out, first_row + 2 * SLICE, a2)
            store(out, first_row + 3 * SLICE, a3)
            store(out, first_row + 4 * SLICE, a4)
            store(out, first_row + 5 * SLICE, a5)
            store(out, second_row, b0)
            store(out, second_row + 1 * SLICE, b1)
            store(out, second_row + 2 * SLICE, b2)
            store(out, second_row + 3 * SLICE, b3)
            store(out, second_row + 4 * SLICE, b4)
            store(out, second_row + 5 * SLICE, b5)
            store(out, third_row, d0)
            store(out, third_row + 1 * SLICE, d1)
            store(out, third_row + 2 * SLICE, d2)
            store(out, third_row + 3 * SLICE, d3)
            store(out, third_row + 4 * SLICE, d4)
            store(out, third_row + 5 * SLICE, d5)


@compiled
def correlate_down(
    x: Any, first: int, end: int, ring: int, pitch: int, at: int, grad: Any, grad_pitch: int, sums: Any, tap: int,
    width: int,
) -> None:  # fmt: skip
    """Add to `sums` the gradient of the weights of `convolve_down`, of TALL rows of its result.

    Args:
        x: as of `convolve_down`, and so are the next five.
        first: see there.
        end: see there.
        ring: see there.
        pitch: see there.
        at: see there.
        grad: flat buffer with the gradients of the rows; zeros from `width` up to a multiple of BLOCK.
        grad_pitch: numbers from a row of it to the next.
        sums: flat, tap after tap, TALL - 1 rows more before them and after.
        tap: see `convolve_down`.
        width: see there.
    """
    for w in range(0, width, BLOCK):
        for c in range(0, SLICE, WIDTH):
            first_row = w * SLICE + c
            second_row, third_row = first_row + grad_pitch, first_row + 2 * grad_pitch
            a0, a1, a2 = load(grad, first_row), load(grad, first_row + 1 * SLICE), load(grad, first_row + 2 * SLICE)
            a3, a4, a5 = (
                load(grad, first_row + 3 * SLICE),
                load(grad, first_row + 4 * SLICE),
                load(grad, first_row + 5 * SLICE),
            )
            b0, b1, b2 = load(grad, second_row), load(grad, second_row + 1 * SLICE), load(grad, second_row + 2 * SLICE)
            b3, b4, b5 = (
                load(grad, second_row + 3 * SLICE),
                load(grad, second_row + 4 * SLICE),
                load(grad, second_row + 5 * SLICE),
            )
            d0, d1, d2 = load(grad, third_row), load(grad, third_row + 1 * SLICE), load(grad, third_row + 2 * SLICE)
            d3, d4, d5 = (
                load(grad, third_row + 3 * SLICE),
                load(grad, third_row + 4 * SLICE),
                load(grad, third_row + 5 * SLICE),
            )
            slot, q = first % ring, tap * SLICE + c
            s1, s2 = load(sums, q - SLICE), load(sums, q - 2 * SLICE)  # of the taps before this one
            for _ in range(first, end):
                p = slot * pitch + at + w * SLICE + c
                v = load(x, p)
                e0, e1, e2 = mul(v, a0), mul(v, b0), mul(v, d0)
                v = load(x, p + 1 * SLICE)
                e0, e1, e2 = fma(v, a1, e0), fma(v, b1, e1), fma(v, d1, e2)
                v = load(x, p + 2 * SLICE)
                e0, e1, e2 = fma(v, a2, e0), fma(v, b2, e1), fma(v, d2, e2)
                v = load(x, p + 3 * SLICE)
                e0, e1, e2 = fma(v, a3, e0), fma(v, b3, e1), fma(v, d3, e2)
                v = load(x, p + 4 * SLICE)
                e0, e1, e2 = fma(v, a4, e0), fma(v, b4, e1), fma(v, d4, e2)
                v = load(x, p + 5 * SLICE)
                e0, e1, e2 = fma(v, a5, e0), fma(v, b5, e1), fma(v, d5, e2)
                store(sums, q - 2 * SLICE, add(s2, e2))
                s2, s1 = add(s1, e1), add(load(sums, q), e0)
                slot = slot + 1 if slot + 1 < ring else 0
                q += SLICE
            store(sums, q - 2 * SLICE, s2)
            store(sums, q - SLICE, s1)
