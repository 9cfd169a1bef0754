"""GELU and the branches of multi-scale convolutional attention, row by row in the cache; compiled with numba.

u = GELU(x); local = 5x5(u); result = local + sum over k of k x 1(1 x k(local)). Maps are flat arrays (B, H, W, C),
float32 or bfloat16 words. A task is a slice of the channels of one sample. While row t of x is read, row t - 2 of local
and of the 1 x k strips is made, and of the result the rows up to t - 2 - reach, where the longest strip reaches no
further, TALL together. Of each only the rows that are still needed are kept, in rings: row y lies in slot y % ring.

weights are (taps, C): those of the 5x5, of all 1 x k, of all k x 1. biases are (1 + 2 strips, C), in the same order.
"""

from typing import Any

from segnext.kernels.lanes import WIDTH, add, compiled, gelu, gelu_slope, load, mul, store
from segnext.kernels.taps import (
    SLICE,
    TALL,
    blocks,
    convolve,
    convolve_down,
    copy,
    correlate,
    correlate_down,
    read_row,
    rows_inside,
    rows_reached,
    write_row,
    zeros,
)

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
            store(buffer, to + w * SLICE + c, gelu(load(source, start + w * channels + c), source))


@compiled
def _slice(table: Any, channel: int) -> Any:
    """A slice of the channels of (rows, C), row after row."""
    return table[:, channel : channel + SLICE].copy().reshape(-1)


@compiled
def _rings(strips: Any) -> Any:
    """Rows of the ring of each 1 x k strip: from those above its k x 1 to the newest."""
    return strips.max() // 2 + strips // 2 + TALL


@compiled
def _tall(table: Any, first: int, strips: Any) -> Any:
    """A slice's rows of the k x 1, from `first` on, with TALL - 1 rows of zeros around each."""
    rows = zeros((strips.sum() + 2 * (TALL - 1) * len(strips)) * SLICE)
    to, start = 0, first * SLICE
    for n in range(len(strips)):
        to += (TALL - 1) * SLICE
        copy(table, start, rows, to, strips[n] * SLICE)
        start += strips[n] * SLICE
        to += (strips[n] + TALL - 1) * SLICE
    return rows


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
    rings, local_ring, middle = _rings(strips), reach + TALL, margin * SLICE
    rows, local = zeros(SIDE * pitch), zeros(local_ring * pitch)
    across, total = zeros(rings.sum() * pitch), zeros(TALL * padded * SLICE)
    for task in range(first, last):
        channel = task % (channels // SLICE) * SLICE
        start = task // (channels // SLICE) * height * width * channels + channel
        weight, bias = _slice(weights, channel), _slice(biases, channel)
        tall = _tall(weight, TAPS + strips.sum(), strips)
        for t in range(height + SIDE // 2 + reach):
            if t < height:
                slot = t % SIDE * pitch + middle
                _read_gelu(x, start + t * width * channels, channels, rows, slot, width)
                write_row(rows, slot, u, start + t * width * channels, channels, width)
            y = t - SIDE // 2
            if 0 <= y < height:
                _strip_rows(y, height, shape, rows, SIDE, local, local_ring, across, strips, weight, bias)
            y -= reach
            if y < 0 or (y % TALL < TALL - 1 and y < height - 1):
                continue
            y, end = y - y % TALL, y + 1
            for n in range(y, end):
                copy(local, n % local_ring * pitch + middle, total, (n - y) * padded * SLICE, padded * SLICE)
            begin, tap = 0, 0
            for n in range(len(strips)):
                above, below, found = rows_reached(y, strips[n], height)
                part = across[begin : begin + rings[n] * pitch]
                out_pitch = padded * SLICE
                convolve_down(
                    part, above, below, rings[n], pitch, middle, tall, tap + found, total, 0, out_pitch, width
                )
                _add_bias(total, bias, 1 + len(strips) + n, (end - y) * padded)
                begin += rings[n] * pitch
                tap += strips[n] + 2 * (TALL - 1)
            for n in range(y, end):
                to = start + n * width * channels
                write_row(total, (n - y) * padded * SLICE, out, to, channels, width)


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
    rings, local_ring, middle = _rings(strips), reach + TALL, margin * SLICE
    x_ring, grad_ring, slope_ring = reach + SIDE + TALL - 1, 2 * reach + TALL, SIDE + TALL - 1
    rows, local = zeros(x_ring * pitch), zeros(local_ring * pitch)
    across, total = zeros(rings.sum() * pitch), zeros(padded * SLICE)
    grads, slopes = zeros(grad_ring * pitch), zeros(slope_ring * pitch)
    down, group = zeros(TALL * pitch), zeros(TALL * padded * SLICE)
    side = (margin - SIDE // 2) * SLICE
    for task in range(first, last):
        channel = task % (channels // SLICE) * SLICE
        start = task // (channels // SLICE) * height * width * channels + channel
        weight, back, bias = _slice(weights, channel), _slice(turned, channel), _slice(biases, channel)
        tall = _tall(back, TAPS + strips.sum(), strips)
        found = zeros(len(tall))  # of the k x 1, as `tall` has them
        for t in range(height + SIDE // 2 + reach):
            if t < height:
                slot = t % x_ring * pitch + middle
                _read_gelu(x, start + t * width * channels, channels, rows, slot, width)
            y = t - SIDE // 2
            if 0 <= y < height:
                _strip_rows(y, height, shape, rows, x_ring, local, local_ring, across, strips, weight, bias)
                slot = y % grad_ring * pitch + middle
                read_row(grad, start + y * width * channels, channels, grads, slot, width)
            y -= reach
            if y < 0 or (y % TALL < TALL - 1 and y < height - 1):
                continue
            y, end = y - y % TALL, y + 1
            _local_slopes(
                y, end, height, shape, local, local_ring, across, grads, group, slopes, down, strips, back, tall,
                found, sums[task],
            )  # fmt: skip
            for n in range(y, end):
                above, count = rows_inside(n, SIDE, height)
                top, of_taps = (n - SIDE // 2 + above) % x_ring, sums[task, above * SIDE * SLICE :]
                bias_at, slot = (TAPS - above * SIDE) * SLICE, n % slope_ring * pitch + middle
                correlate(rows, top, x_ring, pitch, side, slopes, slot, count, SIDE, of_taps, bias_at, width)
            for n in range(max(0, y - SIDE // 2), end if end == height else end - SIDE // 2):
                total[:] = 0
                above, count = rows_inside(n, SIDE, height)
                top, taps = (n - SIDE // 2 + above) % slope_ring, back[above * SIDE * SLICE :]
                convolve(slopes, top, slope_ring, pitch, side, taps, count, SIDE, total, 0, width)
                _through_gelu(x, grad_u, total, grad_x, start + n * width * channels, channels, width)
        _keep_down(found, strips, sums[task])


@compiled
def _local_slopes(
    y: int, end: int, height: int, shape: Any, local: Any, local_ring: int, across: Any, grads: Any, group: Any,
    slopes: Any, down: Any, strips: Any, back: Any, tall: Any, found: Any, sums: Any,
) -> None:  # fmt: skip
    """Rows from y up to `end` of the gradient of local, and their share in those of the strips' weights."""
    width, padded, margin, pitch = shape
    rings, middle, reach = _rings(strips), margin * SLICE, strips.max() // 2
    grad_ring, slope_ring, group_pitch = 2 * reach + TALL, SIDE + TALL - 1, padded * SLICE
    group[:] = 0
    for n in range(y, end):
        copy(grads, n % grad_ring * pitch + middle, group, (n - y) * group_pitch, group_pitch)
        copy(group, (n - y) * group_pitch, slopes, n % slope_ring * pitch + middle, group_pitch)
    begin, tap, down_tap = 0, TAPS, 0
    of_across = (TAPS + 1) * SLICE
    of_down = of_across + (strips.sum() + len(strips)) * SLICE
    for n in range(len(strips)):
        k = strips[n]
        part = across[begin : begin + rings[n] * pitch]
        above, below, first = rows_reached(y, k, height)
        first += down_tap
        correlate_down(part, above, below, rings[n], pitch, middle, group, group_pitch, found, first, width)
        _add_up(group, sums, of_down + k * SLICE, TALL * padded)
        down[:] = 0
        convolve_down(grads, above, below, grad_ring, pitch, middle, tall, first, down, middle, pitch, width)
        at, of_taps, taps = (margin - k // 2) * SLICE, sums[of_across:], back[tap * SLICE : (tap + k) * SLICE]
        for row in range(end - y):
            line, place = down[row * pitch : (row + 1) * pitch], (y + row) % local_ring
            correlate(local, place, local_ring, pitch, at, line, middle, 1, k, of_taps, k * SLICE, width)
            to = (y + row) % slope_ring * pitch + middle
            convolve(line, 0, 1, pitch, at, taps, 1, k, slopes, to, width)
        begin += rings[n] * pitch
        tap += k
        down_tap += k + 2 * (TALL - 1)
        of_across += (k + 1) * SLICE
        of_down += (k + 1) * SLICE
    for n in range(y, end):
        to = n % slope_ring * pitch + middle
        slopes[to + width * SLICE : to + padded * SLICE] = 0


@compiled
def _add_up(rows: Any, sums: Any, to: int, positions: int) -> None:
    """Add the sum over positions to `sums`."""
    for c in range(0, SLICE, WIDTH):
        whole = load(sums, to + c)
        for n in range(positions):
            whole = add(whole, load(rows, n * SLICE + c))
        store(sums, to + c, whole)


@compiled
def _keep_down(found: Any, strips: Any, sums: Any) -> None:
    """Write the gradients of the k x 1 to their places among the sums."""
    start, to = 0, (TAPS + 1 + strips.sum() + len(strips)) * SLICE
    for n in range(len(strips)):
        copy(found, start + (TALL - 1) * SLICE, sums, to, strips[n] * SLICE)
        start += (strips[n] + 2 * (TALL - 1)) * SLICE
        to += (strips[n] + 1) * SLICE


@compiled
def _through_gelu(x: Any, grad_u: Any, total: Any, grad_x: Any, at: int, channels: int, width: int) -> None:
    """A row of grad_x: GELU's slope at x times the gradient of u, `grad_u` and `total` added up."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            o = at + w * channels + c
            whole = add(load(total, w * SLICE + c), load(grad_u, o))
            store(grad_x, o, mul(gelu_slope(load(x, o), x), whole))


@compiled
def gate(x: Any, attention: Any, grad: Any, out: Any, grad_attention: Any, first: int, last: int) -> None:
    """Write u * attention for u = GELU(x) to `out`, and from its gradient those of attention and, into `grad`, u.

    A task is WIDTH numbers.
    """
    for o in range(first * WIDTH, last * WIDTH, WIDTH):
        u, factor, slope = gelu(load(x, o), x), load(attention, o), load(grad, o)
        store(out, o, mul(u, factor))
        store(grad_attention, o, mul(slope, u))
        store(grad, o, mul(slope, factor))
