"""From low-resolution logits to those of every pixel: torch's bilinear resize, align_corners False."""

import numpy as np
from numpy.typing import NDArray


def places(low: int, covered: float, size: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Along one axis, for each pixel: the last of the `low` positions before it, and how far it is to the next, 0..1.

    Args:
        low: positions of the logits.
        covered: pixels that they extend over.
        size: pixels that are wanted, from the first on; at most `covered`.
    """
    scale = np.float32(low) / np.float32(covered)  # in float32 throughout, as torch does
    place = np.maximum((np.arange(size, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0))
    cell = np.minimum(place.astype(np.int64), low - 1)
    return cell, np.clip(place - cell, 0, 1).astype(np.float32)


def enlarge(logits: NDArray[np.float32], covered: tuple[float, float], size: tuple[int, int]) -> NDArray[np.float32]:
    """Logits (h, w, classes) at the picture's size, (classes, H, W); for `covered` and `size` see `places`."""
    (row, down), (column, across) = (places(logits.shape[axis], covered[axis], size[axis]) for axis in (0, 1))
    x = logits.transpose(2, 0, 1)
    x = x[:, row] + (x[:, np.minimum(row + 1, logits.shape[0] - 1)] - x[:, row]) * down[:, None]
    after = np.minimum(column + 1, logits.shape[1] - 1)
    enlarged: NDArray[np.float32] = x[:, :, column] + (x[:, :, after] - x[:, :, column]) * across
    return enlarged
