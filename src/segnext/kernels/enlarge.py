"""From low-resolution logits to those of every pixel: torch's bilinear resize, align_corners False or True."""

import numpy as np
from numpy.typing import NDArray


def places(low: int, covered: float, size: int, corners: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Along one axis, for each pixel: the last of the `low` positions before it, and how far it is to the next, 0..1.

    Args:
        low: positions of the logits.
        covered: pixels that they extend over.
        size: pixels that are wanted, from the first on; at most `covered`.
        corners: pixels of the network's input for a position, where its first and last pixels lie on the first and
            last positions (align_corners True); 0 where every position is the middle of its pixels.
    """
    half = np.float32(0.5)  # in float32 throughout, as torch does
    inside = low * corners if corners else low
    place = (np.arange(size, dtype=np.float32) + half) * (np.float32(inside) / np.float32(covered)) - half
    if corners:
        place *= np.float32(low - 1) / np.float32(max(inside - 1, 1))
    place = np.maximum(place, np.float32(0))
    cell = np.minimum(place.astype(np.int64), low - 1)
    return cell, np.clip(place - cell, 0, 1).astype(np.float32)


def enlarge(
    logits: NDArray[np.float32], covered: tuple[float, float], size: tuple[int, int], corners: int = 0
) -> NDArray[np.float32]:
    """Logits (h, w, classes) at the picture's size, (classes, H, W); for the arguments see `places`."""
    (row, down), (column, across) = (places(logits.shape[axis], covered[axis], size[axis], corners) for axis in (0, 1))
    x = logits.transpose(2, 0, 1)
    x = x[:, row] + (x[:, np.minimum(row + 1, logits.shape[0] - 1)] - x[:, row]) * down[:, None]
    after = np.minimum(column + 1, logits.shape[1] - 1)
    enlarged: NDArray[np.float32] = x[:, :, column] + (x[:, :, after] - x[:, :, column]) * across
    return enlarged
