"""The FFN's depthwise 3x3 and GELU, one pass over memory in each direction; compiled with numba.

The map that comes in lacks its convolution's bias, `shift`, which is added where it is read: libraries take a whole
pass over memory for it.

Maps are flat arrays (B, H, W, C), float32 or bfloat16 words. A task is a group of slices of one sample's channels,
which take turns row by row: a slice alone would use a fraction of what each access to memory brings.
"""

from typing import Any

from segnext.kernels.lanes import WIDTH, add, compiled, constant, gelu, gelu_slope, load, mul, store
from segnext.kernels.taps import SLICE, blocks, convolve, correlate, zeros

ROWS = 3  # of a map that are kept, in a ring: row y lies in slot (y + 1) % ROWS
TAPS = 9
SUMS = TAPS + 2  # rows of the backward pass's sums: of the taps, the bias, and what the map's own bias would have
GROUP = 4  # slices of a task


@compiled
def _slices(task: int, channels: int) -> tuple[int, int, int]:
    """A task's sample, and its first slice and the one after its last."""
    slices = channels // SLICE
    groups = (slices + GROUP - 1) // GROUP
    first = task % groups * GROUP
    return task // groups, first, min(first + GROUP, slices)


@compiled
def _spread(bias: Any, row: Any, width: int) -> None:
    """Write a slice of the bias to all positions of a row."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            store(row, w * SLICE + c, load(bias, c))


@compiled
def _read_shifted(source: Any, start: int, channels: int, shift: Any, buffer: Any, to: int, width: int) -> None:
    """`read_row` with a slice of the shift added."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            store(buffer, to + w * SLICE + c, add(load(source, start + w * channels + c), load(shift, c)))


@compiled
def forward(
    x: Any, shift: Any, weight: Any, bias: Any, out: Any, size: tuple[int, int], channels: int, first: int, last: int
) -> None:
    """Write GELU(3x3 convolution of x + shift) to `out`, for tasks [first, last).

    weight: (C / SLICE, TAPS * SLICE). shift and bias: (C / SLICE, SLICE).
    """
    height, width = size
    padded = blocks(width)
    pitch = (padded + 2) * SLICE
    rings, z = zeros(GROUP * ROWS * pitch).reshape(GROUP, -1), zeros(padded * SLICE)
    for task in range(first, last):
        sample, begin, end = _slices(task, channels)
        start = sample * height * width * channels
        rings[:] = 0
        for s in range(begin, end):
            _read_shifted(x, start + s * SLICE, channels, shift[s], rings[s - begin], pitch + SLICE, width)
        for y in range(height):
            for s in range(begin, end):
                channel, ring = s * SLICE, rings[s - begin]
                _next_row(x, start + channel, channels, shift[s], ring, pitch, y, height, width)
                _spread(bias[s], z, padded)
                convolve(ring, y % ROWS, ROWS, pitch, 0, weight[s], 3, 3, z, 0, width)
                to = start + y * width * channels + channel
                for w in range(width):
                    for c in range(0, SLICE, WIDTH):
                        store(out, to + w * channels + c, gelu(load(z, w * SLICE + c), out))


@compiled
def _next_row(
    x: Any, start: int, channels: int, shift: Any, ring: Any, pitch: int, y: int, height: int, width: int
) -> None:
    """Bring row y + 1 into the ring."""
    slot = (y + 2) % ROWS * pitch
    if y + 1 < height:
        _read_shifted(x, start + (y + 1) * width * channels, channels, shift, ring, slot + SLICE, width)
    else:
        ring[slot : slot + pitch] = 0


@compiled
def backward(
    x: Any, grad: Any, shift: Any, weight: Any, turned: Any, bias: Any, out: Any, grad_x: Any, sums: Any,
    size: tuple[int, int], channels: int, first: int, last: int,
) -> None:  # fmt: skip
    """From the gradient of `forward`'s result: the result again, the gradient of x, and of weight and bias.

    turned: the kernel turned by 180 degrees. sums: (slices of all samples, SUMS * SLICE), zeros. grad_x may be grad
    itself.
    """
    height, width = size
    padded = blocks(width)
    pitch = (padded + 2) * SLICE
    rings = zeros(GROUP * ROWS * pitch).reshape(GROUP, -1)
    slopes = zeros(GROUP * ROWS * pitch).reshape(GROUP, -1)
    z = zeros(padded * SLICE)
    for task in range(first, last):
        sample, begin, end = _slices(task, channels)
        start = sample * height * width * channels
        rings[:] = 0
        slopes[:] = 0
        for s in range(begin, end):
            _read_shifted(x, start + s * SLICE, channels, shift[s], rings[s - begin], pitch + SLICE, width)
        for y in range(height + 1):
            slot = (y + 1) % ROWS * pitch + SLICE
            for s in range(begin, end):
                channel, ring, of_z = s * SLICE, rings[s - begin], slopes[s - begin]
                found, at = sums[sample * (channels // SLICE) + s], start + y * width * channels + channel
                if y < height:
                    _next_row(x, start + channel, channels, shift[s], ring, pitch, y, height, width)
                    _spread(bias[s], z, padded)
                    convolve(ring, y % ROWS, ROWS, pitch, 0, weight[s], 3, 3, z, 0, width)
                    _slopes(z, grad, out, at, channels, of_z, slot, width)
                    correlate(ring, y % ROWS, ROWS, pitch, 0, of_z, slot, 3, 3, found, TAPS * SLICE, width)
                else:
                    of_z[slot - SLICE : slot - SLICE + pitch] = 0
                if y > 0:
                    z[:] = 0
                    convolve(of_z, (y - 1) % ROWS, ROWS, pitch, 0, turned[s], 3, 3, z, 0, width)
                    _write_row(z, grad_x, at - width * channels, channels, width, found)


@compiled
def _slopes(z: Any, grad: Any, out: Any, at: int, channels: int, slopes: Any, slot: int, width: int) -> None:
    """GELU of a row, into `out`, and its slope times the gradient, into a row of `slopes`."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            value = load(z, w * SLICE + c)
            slope = mul(gelu_slope(value, out), load(grad, at + w * channels + c))
            store(out, at + w * channels + c, gelu(value, out))
            store(slopes, slot + w * SLICE + c, slope)


@compiled
def _write_row(row: Any, target: Any, to: int, channels: int, width: int, sums: Any) -> None:
    """Copy a row's slice into a map, and add it up."""
    for c in range(0, SLICE, WIDTH):
        whole = constant(0.0)
        for w in range(width):
            value = load(row, w * SLICE + c)
            whole = add(whole, value)
            store(target, to + w * channels + c, value)
        store(sums, (TAPS + 1) * SLICE + c, add(load(sums, (TAPS + 1) * SLICE + c), whole))
