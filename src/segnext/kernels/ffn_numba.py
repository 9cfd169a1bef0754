"""The FFN's depthwise 3x3 and GELU, one pass over memory in each direction; compiled with numba.

Maps are flat arrays (B, H, W, C), float32 or bfloat16 words. A task is a slice of the channels of one sample.
"""

from typing import Any

from segnext.kernels.lanes import WIDTH, compiled, fma, load, mul, normal, store
from segnext.kernels.taps import SLICE, blocks, convolve, correlate, read_row, write_row, zeros

ROWS = 3  # of a map that are kept, in a ring: row y lies in slot (y + 1) % ROWS
TAPS = 9


@compiled
def _spread(bias: Any, row: Any, at: int, width: int) -> None:
    """Write a slice of the bias to all positions of a row."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            store(row, at + w * SLICE + c, load(bias, c))


@compiled
def forward(
    x: Any, weight: Any, bias: Any, out: Any, size: tuple[int, int], channels: int, first: int, last: int
) -> None:
    """Write GELU(3x3 convolution of x) to `out`, for tasks [first, last); weight (TAPS, C), bias (C,)."""
    height, width = size
    padded = blocks(width)
    pitch = (padded + 2) * SLICE
    slices = channels // SLICE
    ring, z = zeros(ROWS * pitch), zeros(padded * SLICE)
    for task in range(first, last):
        channel = task % slices * SLICE
        start = task // slices * height * width * channels + channel
        k = weight[:, channel : channel + SLICE].copy().reshape(-1)
        ring[:] = 0
        read_row(x, start, channels, ring, pitch + SLICE, width)
        for y in range(height):
            _next_row(x, start, channels, ring, pitch, y, height, width)
            _spread(bias[channel : channel + SLICE], z, 0, padded)
            convolve(ring, y % ROWS, ROWS, pitch, 0, k, 3, 3, z, 0, width)
            to = start + y * width * channels
            for w in range(width):
                for c in range(0, SLICE, WIDTH):
                    value = load(z, w * SLICE + c)
                    share, _ = normal(value)
                    store(out, to + w * channels + c, mul(value, share))


@compiled
def _next_row(x: Any, start: int, channels: int, ring: Any, pitch: int, y: int, height: int, width: int) -> None:
    """Bring row y + 1 into the ring."""
    slot = (y + 2) % ROWS * pitch
    if y + 1 < height:
        read_row(x, start + (y + 1) * width * channels, channels, ring, slot + SLICE, width)
    else:
        ring[slot : slot + pitch] = 0


@compiled
def backward(
    x: Any,
    grad: Any,
    weight: Any,
    turned: Any,
    bias: Any,
    out: Any,
    grad_x: Any,
    sums: Any,
    size: tuple[int, int],
    channels: int,
    first: int,
    last: int,
) -> None:
    """From the gradient of `forward`'s result: the result again, the gradient of x, and of weight and bias.

    turned: the kernel turned by 180 degrees. sums: (tasks, (TAPS + 1) * SLICE), zeros. grad_x may be grad itself.
    """
    height, width = size
    padded = blocks(width)
    pitch = (padded + 2) * SLICE
    slices = channels // SLICE
    ring, slopes = zeros(ROWS * pitch), zeros(ROWS * pitch)
    z = zeros(padded * SLICE)
    for task in range(first, last):
        channel = task % slices * SLICE
        start = task // slices * height * width * channels + channel
        k = weight[:, channel : channel + SLICE].copy().reshape(-1)
        back = turned[:, channel : channel + SLICE].copy().reshape(-1)
        ring[:] = 0
        slopes[:] = 0
        read_row(x, start, channels, ring, pitch + SLICE, width)
        for y in range(height + 1):
            slot = (y + 1) % ROWS * pitch + SLICE
            if y < height:
                _next_row(x, start, channels, ring, pitch, y, height, width)
                _spread(bias[channel : channel + SLICE], z, 0, padded)
                convolve(ring, y % ROWS, ROWS, pitch, 0, k, 3, 3, z, 0, width)
                _slopes(z, grad, out, start + y * width * channels, channels, slopes, slot, width)
                correlate(ring, y % ROWS, ROWS, pitch, 0, slopes, slot, 3, 3, sums[task], TAPS * SLICE, width)
            else:
                slopes[slot - SLICE : slot - SLICE + pitch] = 0
            if y > 0:
                z[:] = 0
                convolve(slopes, (y - 1) % ROWS, ROWS, pitch, 0, back, 3, 3, z, 0, width)
                write_row(z, 0, grad_x, start + (y - 1) * width * channels, channels, width)


@compiled
def _slopes(z: Any, grad: Any, out: Any, at: int, channels: int, slopes: Any, slot: int, width: int) -> None:
    """GELU of a row, into `out`, and its slope times the gradient, into a row of `slopes`."""
    for w in range(width):
        for c in range(0, SLICE, WIDTH):
            value = load(z, w * SLICE + c)
            share, density = normal(value)
            store(out, at + w * channels + c, mul(value, share))
            slope = fma(value, density, share)
            store(slopes, slot + w * SLICE + c, mul(slope, load(grad, at + w * channels + c)))
