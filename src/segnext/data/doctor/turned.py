"""Whether masks were drawn on pictures as they are seen, or as they are stored before EXIF turns them: measured."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.data.masks import open_mask
from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.pillow import upright

MARGIN = 1.1  # how much more of a picture's edges the borders of its mask must meet one way than the other
AGREED = 0.75  # share of the pictures that must say the same
LARGEST = 512  # pixels along a side that are looked at


@dataclass(frozen=True)
class Turned:
    """On how many pictures borders of masks meet edges better in one way than in the other, and how much."""

    seen: int
    stored: int
    ratio: float  # as seen by as stored, the middle one

    @property
    def drawn_on(self) -> str | None:
        """What masks were drawn on, "upright" or "stored", if it is clear."""
        for side, count, ratio in (("upright", self.seen, self.ratio), ("stored", self.stored, 1 / self.ratio)):
            if count >= max(1, AGREED * (self.seen + self.stored)) and ratio >= MARGIN:
                return side
        return None

    def __str__(self) -> str:
        way, ratio = ("seen", self.ratio) if self.ratio >= 1 else ("stored", 1 / self.ratio)
        count, total = max(self.seen, self.stored), self.seen + self.stored
        return (
            f"measured on {total}, the masks' borders meet the pictures' edges better as {way} on {count}, by a factor "
            f"of {ratio:.2f}"
        )


def measure_turned(files: list[tuple[Path, Path, int]]) -> Turned | None:
    """Compare both ways on pictures, their masks of the same size, and their EXIF orientations; None if none tells."""
    ratios = []
    for image, mask, orientation in files:
        try:
            edges = _edges(read_image(image))
            with open_mask(mask) as file:
                pixels = np.asarray(file.convert("RGB"))
        except SegNextError:
            continue
        if pixels.shape[:2] == edges.shape:
            step = max(1, -(-max(edges.shape) // LARGEST))
            ways = (pixels, upright(pixels, orientation))
            seen, stored = (_meeting(edges[::step, ::step], way[::step, ::step]) for way in ways)
            if seen > 0 and stored > 0 and seen != stored:
                ratios.append(seen / stored)
    if not ratios:
        return None
    middle = math.exp(float(np.median(np.log(ratios))))
    return Turned(sum(ratio > 1 for ratio in ratios), sum(ratio < 1 for ratio in ratios), middle)


def _edges(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How steep a picture is at each pixel, H x W."""
    down, across = np.gradient(picture.astype(np.float32).mean(axis=2))
    return np.asarray(np.hypot(down, across), np.float32)


def _meeting(edges: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """How steep a picture is on average along the borders of a mask, H x W x 3; 0 without borders."""
    border = np.zeros(edges.shape, bool)
    border[:, 1:] |= (mask[:, 1:] != mask[:, :-1]).any(axis=2)
    border[1:] |= (mask[1:] != mask[:-1]).any(axis=2)
    return float(edges[border].mean()) if border.any() else 0.0
