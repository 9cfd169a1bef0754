"""The values in a mask: how many pixels each has, and whether they are labels or the blur between labels."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEPT = 256  # values kept for a mask: all labels of 8 bits, the most frequent of many colours

# A value is thin when its horizontal runs are short and it covers little: what anti-aliasing, JPEG and
# interpolation leave along the borders of regions. Labels of real objects are wider.
THIN_RUN = 2.2
THIN_SHARE = 0.01
BLURRED_VALUES = 12  # this many thin values, or
BLURRED_RAMPS = 0.25  # this share of runs that step from one neighbour's value to the other's


@dataclass(frozen=True)
class Values:
    """What values a mask holds.

    Attributes:
        counts: pixels of each value, at most `KEPT` of them, the most frequent first. Colours are 0xRRGGBB.
        distinct: number of different values.
        solid: the values that cover regions; the others look like blur.
        blurred: whether the mask was anti-aliased, interpolated or compressed with loss.
        photo: whether it looks like a photograph rather than a mask.
    """

    counts: dict[int, int] = field(default_factory=dict)
    distinct: int = 0
    solid: frozenset[int] = frozenset()
    blurred: bool = False
    photo: bool = False

    def renamed(self, name: Callable[[int], int]) -> "Values":
        """The same with `name(value)` for every value."""
        counts = {name(value): count for value, count in self.counts.items()}
        return replace(self, counts=counts, solid=frozenset(map(name, self.solid)))


def measure(mask: NDArray[Any]) -> Values:
    """Count the values of `mask`, H x W integers (labels, or colours as 0xRRGGBB)."""
    flat = mask.reshape(-1)
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    lengths = np.diff(np.append(starts, flat.size))
    found, index = np.unique(flat[starts], return_inverse=True)
    pixels = np.bincount(index, weights=lengths).astype(np.int64)
    mean_run = pixels / np.bincount(index)
    thin = (mean_run < THIN_RUN) & (pixels < THIN_SHARE * flat.size)
    order = np.argsort(-pixels, kind="stable")[:KEPT]
    solid = np.flatnonzero(~thin)[:KEPT]
    photo = bool(found.size > 64 and starts.size > 0.3 * flat.size and pixels[order[:2]].sum() < 0.5 * flat.size)
    many = thin.sum() >= BLURRED_VALUES and thin.sum() >= 0.5 * found.size
    return Values(
        counts={int(found[i]): int(pixels[i]) for i in order},
        distinct=int(found.size),
        solid=frozenset(int(value) for value in found[solid]),
        blurred=not photo and bool(many or _ramps(flat[starts], lengths) >= BLURRED_RAMPS),
        photo=photo,
    )


def _ramps(values: NDArray[Any], lengths: NDArray[np.int64]) -> float:
    """Share of runs that are one or two pixels long and lie between both neighbours in every channel."""
    if values.size < 32:
        return 0.0
    before, here, after = (_channels(part) for part in (values[:-2], values[1:-1], values[2:]))
    low, high = np.minimum(before, after), np.maximum(before, after)
    between = ((here >= low) & (here <= high)).all(axis=0)
    between &= (values[1:-1] != values[:-2]) & (values[1:-1] != values[2:]) & (values[:-2] != values[2:])
    return float((between & (lengths[1:-1] <= 2)).mean())


def _channels(values: NDArray[Any]) -> NDArray[np.int64]:
    wide = values.astype(np.int64)
    return np.stack([wide >> 16, wide >> 8 & 255, wide & 255])
