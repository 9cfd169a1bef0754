"""Enlarging a map bilinearly onto another one, and the gradient; compiled with numba.

Maps are flat arrays (B, H, W, C), float32 or bfloat16 words. `row` and `down` say for each row of the large map the
small row before it and how far it is to the next, `column` and `across` the same of columns. A task is a slice of the
channels of one sample.
"""

from typing import Any

import numpy as np

from segnext.kernels.lanes import WIDTH, compiled, fma, load, mul, splat, store
from segnext.kernels.taps import SLICE, zeros


@compiled
def _shares(distance: float) -> Any:
    """What the two neighbours of a place count, in all lanes."""
    return splat(np.float32(1 - distance)), splat(np.float32(distance))


@compiled
def enlarge(
    low: Any, size: tuple[int, int], row: Any, down: Any, column: Any, across: Any, out: Any, channels: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Add the enlarged map to `out`, which is then its sum with what it was."""
    height, width = size
    between = zeros(width * SLICE)
    for task in range(first, last):
        sample, channel = task // (channels // SLICE), task % (channels // SLICE) * SLICE
        start = sample * height * width * channels + channel
        for y in range(row.size):
            upper, lower = _shares(down[y])
            above = start + row[y] * width * channels
            below = start + min(row[y] + 1, height - 1) * width * channels
            for w in range(width):
                for c in range(0, SLICE, WIDTH):
                    o = w * channels + c
                    store(between, w * SLICE + c, fma(load(low, below + o), lower, mul(load(low, above + o), upper)))
            for x in range(column.size):
                a, b = _shares(across[x])
                left, right = column[x] * SLICE, min(column[x] + 1, width - 1) * SLICE
                o = ((sample * row.size + y) * column.size + x) * channels + channel
                for c in range(0, SLICE, WIDTH):
                    value = fma(load(between, left + c), a, load(out, o + c))
                    store(out, o + c, fma(load(between, right + c), b, value))


@compiled
def gather(
    grad: Any, size: tuple[int, int], row: Any, down: Any, column: Any, across: Any, out: Any, channels: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Write the gradient of the small map to `out`, from that of the large one."""
    height, width = size
    whole, slopes = zeros(height * width * SLICE), zeros(width * SLICE)
    for task in range(first, last):
        sample, channel = task // (channels // SLICE), task % (channels // SLICE) * SLICE
        whole[:] = 0
        for y in range(row.size):
            slopes[:] = 0
            for x in range(column.size):
                a, b = _shares(across[x])
                left, right = column[x] * SLICE, min(column[x] + 1, width - 1) * SLICE
                o = ((sample * row.size + y) * column.size + x) * channels + channel
                for c in range(0, SLICE, WIDTH):
                    slope = load(grad, o + c)
                    store(slopes, left + c, fma(slope, a, load(slopes, left + c)))
                    store(slopes, right + c, fma(slope, b, load(slopes, right + c)))
            upper, lower = _shares(down[y])
            above, below = row[y] * width * SLICE, min(row[y] + 1, height - 1) * width * SLICE
            for o in range(0, width * SLICE, WIDTH):
                slope = load(slopes, o)
                store(whole, above + o, fma(slope, upper, load(whole, above + o)))
                store(whole, below + o, fma(slope, lower, load(whole, below + o)))
        for n in range(height * width):
            for c in range(0, SLICE, WIDTH):
                o = (sample * height * width + n) * channels + channel + c
                store(out, o, load(whole, n * SLICE + c))
