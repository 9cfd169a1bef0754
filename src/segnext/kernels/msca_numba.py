"""GELU and the branches of multi-scale convolutional attention, row by row in the cache; compiled with numba.

u = GELU(x); local = 5x5(u); result = local + sum over k of k x 1(1 x k(local)). Maps are flat arrays (B, H, W, C),
float32 or bfloat16 words. A task is a slice of the channels of one sample. While row t of x is read, row t - 2 of local
and of the 1 x k strips is made, and of the result row t - 2 - reach, where the longest strip reaches no further.
Of each only the rows that are still needed are kept, in rings: row y lies in slot y % ring.

weights are (taps, C): those of the 5x5, of all 1 x k, of all k x 1. biases are (1 + 2 strips, C), in the same order.
"""

from typing import Any

from segnext.kernels.lanes import WIDTH, add, compiled, gelu, gelu_slope, load, mul, store
from segnext.kernels.taps import SLICE, blocks, convolve, copy, correlate, read_row, rows_inside, write_row, zeros

SIDE = 5  # of the square kernel
TAPS = SIDE * SIDE


@compiled
def _fill(bias: Any, index: int, buffer: Any, to: int, width: int) -> None:
    """Write a slice's bias to all positions of a row."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            store(buffer, to + w * SLICE + c, load(bias, index * SLICE + c))


@compiled
def _read_gelu(source: Any, start: int, channels: int, buffer: Any, to: int, width: int) -> None:
    """`read_row` with GELU."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            store(buffer, to + w * SLICE + c, gelu(load(source, start + w * channels + c)))


@compiled
def _slice(table: Any, channel: int) -> Any:
    """A slice of the channels of (rows, C), row after row."""
    return table[:, channel : channel + SLICE].copy().reshape(-1)


@compiled
def _rings(strips: Any) -> Any:
    """Rows of the ring of each 1 x k strip: from those above its k x 1 to the newest."""
    return strips.max() // 2 + strips // 2 + 1


@compiled
def _strip_rows(
    y: int, height: int, shape: Any, x: Any, x_ring: int, local: Any, local_ring: int, across: Any, strips: Any,
    weight: Any, bias: Any,
) -> None:  # fmt: skip
    """Make row y of local and of the 1 x k strips, from u's rows y - 2 to y + 2."""
    width, padded, margin, pitch = shape
    rings = _rings(strips)
    row = y % local_ring * pitch + margin * SLICE
    _fill(bias, 0, local, row, padded)
    first, count = rows_inside(y, SIDE, height)
    top, taps = (y - SIDE // 2 + first) % x_ring, weight[first * SIDE * SLICE :]
    convolve(x, top, x_ring, pitch, (margin - SIDE // 2) * SLICE, taps, count, SIDE, local, row, width)
    local[row + width * SLICE : row + padded * SLICE] = 0
    start, tap = 0, TAPS
    for n in range(len(strips)):
        k = strips[n]
        to = start + y % rings[n] * pitch + margin * SLICE
        _fill(bias, 1 + n, across, to, padded)
        taps = weight[tap * SLICE : (tap + k) * SLICE]
        convolve(local, y % local_ring, local_ring, pitch, (margin - k // 2) * SLICE, taps, 1, k, across, to, width)
        start += rings[n] * pitch
        tap += k


@compiled
def forward(
    x: Any, weights: Any, biases: Any, strips: Any, u: Any, out: Any, size: tuple[int, int], channels: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Write GELU(x) to `u` and the sum of the branches to `out`, for tasks [first, last)."""
    height, width = size
    reach = strips.max() // 2
    margin, padded = max(SIDE // 2, reach), blocks(width)
    pitch = (padded + 2 * margin) * SLICE
    shape = (width, padded, margin, pitch)
    rings, local_ring, middle = _rings(strips), reach + 1, margin * SLICE
    rows, local = zeros(SIDE * pitch), zeros(local_ring * pitch)
    across, total = zeros(rings.sum() * pitch), zeros(padded * SLICE)
    for task in range(first, last):
        channel = task % (channels // SLICE) * SLICE
        start = task // (channels // SLICE) * height * width * channels + channel
        weight, bias = _slice(weights, channel), _slice(biases, channel)
        for t in range(height + SIDE // 2 + reach):
            if t < height:
                slot = t % SIDE * pitch + middle
                _read_gelu(x, start + t * width * channels, channels, rows, slot, width)
                write_row(rows, slot, u, start + t * width * channels, channels, width)
            y = t - SIDE // 2
            if 0 <= y < height:
                _strip_rows(y, height, shape, rows, SIDE, local, local_ring, across, strips, weight, bias)
            y -= reach
            if y < 0:
                continue
            row = y % local_ring * pitch + middle
            copy(local, row, total, 0, padded * SLICE)
            begin, tap = 0, TAPS + strips.sum()
            for n in range(len(strips)):
                k = strips[n]
                above, count = rows_inside(y, k, height)
                top, taps = (y - k // 2 + above) % rings[n], weight[(tap + above) * SLICE :]
                part = across[begin : begin + rings[n] * pitch]
                convolve(part, top, rings[n], pitch, middle, taps, count, 1, total, 0, width)
                begin += rings[n] * pitch
                tap += k
            for n in range(len(strips)):
                _add_bias(total, bias, 1 + len(strips) + n, padded)
            write_row(total, 0, out, start + y * width * channels, channels, width)


@compiled
def _add_bias(row: Any, bias: Any, index: int, width: int) -> None:
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            o = w * SLICE + c
            store(row, o, add(load(row, o), load(bias, index * SLICE + c)))


@compiled
def backward(
    x: Any, grad_u: Any, grad: Any, weights: Any, turned: Any, biases: Any, strips: Any, grad_x: Any, sums: Any,
    size: tuple[int, int], channels: int, first: int, last: int,
) -> None:  # fmt: skip
    """The gradient of x, and of the weights and biases, from those of `forward`'s results.

    turned: weights with each kernel turned by 180 degrees. sums: (tasks, numbers), zeros: for the 5x5, all 1 x k and
    all k x 1 in turn their taps and the bias.
    """
    height, width = size
    reach = strips.max() // 2
    margin, padded = max(SIDE // 2, reach), blocks(width)
    pitch = (padded + 2 * margin) * SLICE
    shape = (width, padded, margin, pitch)
    rings, local_ring, middle = _rings(strips), reach + 1, margin * SLICE
    x_ring, grad_ring = reach + SIDE, 2 * reach + 1
    rows, local = zeros(x_ring * pitch), zeros(local_ring * pitch)
    across, total = zeros(rings.sum() * pitch), zeros(padded * SLICE)
    grads, slopes = zeros(grad_ring * pitch), zeros(SIDE * pitch)
    down, side = zeros(pitch), (margin - SIDE // 2) * SLICE
    for task in range(first, last):
        channel = task % (channels // SLICE) * SLICE
        start = task // (channels // SLICE) * height * width * channels + channel
        weight, back, bias = _slice(weights, channel), _slice(turned, channel), _slice(biases, channel)
        for t in range(height + SIDE - 1 + reach):
            if t < height:
                slot = t % x_ring * pitch + middle
                _read_gelu(x, start + t * width * channels, channels, rows, slot, width)
            y = t - SIDE // 2
            if 0 <= y < height:
                _strip_rows(y, height, shape, rows, x_ring, local, local_ring, across, strips, weight, bias)
                slot = y % grad_ring * pitch + middle
                read_row(grad, start + y * width * channels, channels, grads, slot, width)
            y -= reach
            if 0 <= y < height:
                _local_slopes(
                    y, height, shape, local, local_ring, across, grads, slopes, down, strips, back, sums[task]
                )
                above, count = rows_inside(y, SIDE, height)
                top, of_taps = (y - SIDE // 2 + above) % x_ring, sums[task, above * SIDE * SLICE :]
                bias_at, slot = (TAPS - above * SIDE) * SLICE, y % SIDE * pitch + middle
                correlate(rows, top, x_ring, pitch, side, slopes, slot, count, SIDE, of_taps, bias_at, width)
            y -= SIDE // 2
            if y >= 0:
                total[:] = 0
                above, count = rows_inside(y, SIDE, height)
                top, taps = (y - SIDE // 2 + above) % SIDE, back[above * SIDE * SLICE :]
                convolve(slopes, top, SIDE, pitch, side, taps, count, SIDE, total, 0, width)
                _through_gelu(x, grad_u, total, grad_x, start + y * width * channels, channels, width)


@compiled
def _local_slopes(
    y: int, height: int, shape: Any, local: Any, local_ring: int, across: Any, grads: Any, slopes: Any, down: Any,
    strips: Any, back: Any, sums: Any,
) -> None:  # fmt: skip
    """Row y of the gradient of local, and its share in those of the strips' weights."""
    width, padded, margin, pitch = shape
    rings, middle, grad_ring = _rings(strips), margin * SLICE, 2 * (strips.max() // 2) + 1
    row, to = y % grad_ring * pitch + middle, y % SIDE * pitch + middle
    copy(grads, row, slopes, to, padded * SLICE)
    begin, tap, all_taps = 0, TAPS, strips.sum()
    first_across = (TAPS + 1) * SLICE
    first_down = first_across + (all_taps + len(strips)) * SLICE
    for n in range(len(strips)):
        k = strips[n]
        above, count = rows_inside(y, k, height)
        part = across[begin : begin + rings[n] * pitch]
        top, of_taps = (y - k // 2 + above) % rings[n], sums[first_down + above * SLICE :]
        correlate(part, top, rings[n], pitch, middle, grads, row, count, 1, of_taps, (k - above) * SLICE, width)
        down[middle : middle + padded * SLICE] = 0
        top, taps = (y - k // 2 + above) % grad_ring, back[(tap + all_taps + above) * SLICE :]
        convolve(grads, top, grad_ring, pitch, middle, taps, count, 1, down, middle, width)
        at, of_taps = (margin - k // 2) * SLICE, sums[first_across:]
        correlate(local, y % local_ring, local_ring, pitch, at, down, middle, 1, k, of_taps, k * SLICE, width)
        convolve(down, 0, 1, pitch, at, back[tap * SLICE : (tap + k) * SLICE], 1, k, slopes, to, width)
        begin += rings[n] * pitch
        tap += k
        first_across += (k + 1) * SLICE
        first_down += (k + 1) * SLICE
    slopes[to + width * SLICE : to + padded * SLICE] = 0


@compiled
def _through_gelu(x: Any, grad_u: Any, total: Any, grad_x: Any, at: int, channels: int, width: int) -> None:
    """A row of grad_x: GELU's slope at x times the gradient of u, `grad_u` and `total` added up."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            o = at + w * channels + c
            whole = add(load(total, w * SLICE + c), load(grad_u, o))
            store(grad_x, o, mul(gelu_slope(load(x, o)), whole))


@compiled
def gate(x: Any, attention: Any, grad: Any, out: Any, grad_attention: Any, first: int, last: int) -> None:
    """Write u * attention for u = GELU(x) to `out`, and from its gradient those of attention and, into `grad`, u.

    A task is WIDTH numbers.
    """
    for o in range(first * WIDTH, last * WIDTH, WIDTH):
        u, factor, slope = gelu(load(x, o)), load(attention, o), load(grad, o)
        store(out, o, mul(u, factor))
        store(grad_attention, o, mul(slope, u))
        store(grad, o, mul(slope, factor))
