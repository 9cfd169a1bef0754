"""Depthwise convolution of one row of positions, and its weights' gradient, on a slice of the channels in float32.

A slice is SLICE channels. Buffers hold them position after position and row after row; around a map there are zeros, on
the right up to a multiple of BLOCK positions more, so that no kernel asks where a map ends. Rows may lie in a ring: the
row after the last one is the first.
"""

from typing import Any

import numpy as np

from segnext.kernels.blocks import (
    appended,
    convolved,
    correlated,
    each,
    gathered,
    grids,
    leading,
    loads,
    rest,
    spread,
    store_grids,
    stores,
    total,
)
from segnext.kernels.lanes import WIDTH, add, compiled, inlined, load, store

SLICE = 32
SHORT = 5  # taps of a row that are never left out
BLOCK = 6  # positions done together: so many sums are kept in registers, while each weight is read once
LONG = 4  # taps of a longer row done together, so that each position is read for all of them
TALL = 4  # rows of results done together for a column of taps, so that each row is read a fourth as often,
NARROW = 3  # and so many positions of each
_positions, _narrow = loads(BLOCK), loads(NARROW)
_one, _three, _long, _five = (loads(taps) for taps in (1, 3, LONG, 5))
_around_three, _around_long, _around_five = (loads(BLOCK + taps - 1) for taps in (3, LONG, 5))
_rows_of_taps, _taps_before = loads(TALL), loads(TALL - 1)
_tall, _store_tall = grids(TALL, NARROW), store_grids(TALL, NARROW)


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


@inlined
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
            sums = _positions(out, o, SLICE)
            for i in range(kh):
                row = first + i if first + i < ring else first + i - ring
                p = row * pitch + at + (w + left) * SLICE + c
                q = (i * kw + left) * SLICE + c
                if kw == 3:
                    sums = convolved(_around_three(x, p, SLICE), _three(weight, q, SLICE), sums)
                elif kw == 5:
                    sums = convolved(_around_five(x, p, SLICE), _five(weight, q, SLICE), sums)
                else:
                    for _ in range((right - left) // LONG):
                        sums = convolved(_around_long(x, p, SLICE), _long(weight, q, SLICE), sums)
                        p += LONG * SLICE
                        q += LONG * SLICE
                    for _ in range((right - left) % LONG):
                        sums = each(_positions(x, p, SLICE), load(weight, q), sums)
                        p += SLICE
                        q += SLICE
            stores(out, o, SLICE, sums)


@inlined
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
            slopes = _positions(grad, start + w * SLICE + c, SLICE)
            for i in range(kh):
                row = first + i if first + i < ring else first + i - ring
                p = row * pitch + at + (w + left) * SLICE + c
                q = (i * kw + left) * SLICE + c
                if kw == 3:
                    found = correlated(_around_three(x, p, SLICE), slopes, _three(sums, q, SLICE))
                    stores(sums, q, SLICE, found)
                elif kw == 5:
                    found = correlated(_around_five(x, p, SLICE), slopes, _five(sums, q, SLICE))
                    stores(sums, q, SLICE, found)
                else:
                    for _ in range((right - left) // LONG):
                        found = correlated(_around_long(x, p, SLICE), slopes, _long(sums, q, SLICE))
                        stores(sums, q, SLICE, found)
                        p += LONG * SLICE
                        q += LONG * SLICE
                    for _ in range((right - left) % LONG):
                        found = correlated(_positions(x, p, SLICE), slopes, _one(sums, q, SLICE))
                        stores(sums, q, SLICE, found)
                        p += SLICE
                        q += SLICE
            store(sums, bias + c, add(load(sums, bias + c), total(slopes)))


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
    for w in range(0, width, NARROW):
        for c in range(0, SLICE, WIDTH):
            o = to + w * SLICE + c
            sums = _tall(out, o, out_pitch, SLICE)
            slot, q = first % ring, tap * SLICE + c
            for _ in range(first, end):
                positions = _narrow(x, slot * pitch + at + w * SLICE + c, SLICE)
                sums = spread(positions, _rows_of_taps(weight, q, -SLICE), sums)
                slot = slot + 1 if slot + 1 < ring else 0
                q += SLICE
            _store_tall(out, o, out_pitch, SLICE, sums)


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
    before = (TALL - 1) * SLICE
    for w in range(0, width, NARROW):
        for c in range(0, SLICE, WIDTH):
            slopes = _tall(grad, w * SLICE + c + (TALL - 1) * grad_pitch, -grad_pitch, SLICE)  # the last row first
            slot, q = first % ring, tap * SLICE + c
            found = _taps_before(sums, q - before, SLICE)
            for _ in range(first, end):
                positions = _narrow(x, slot * pitch + at + w * SLICE + c, SLICE)
                reached = gathered(positions, slopes, appended(found, load(sums, q)))
                store(sums, q - before, leading(reached))
                found = rest(reached)
                slot = slot + 1 if slot + 1 < ring else 0
                q += SLICE
            stores(sums, q - before, SLICE, found)
