"""From low-resolution logits to those of every pixel: torch's bilinear resize, align_corners False or True."""

from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Logits = Union[NDArray[np.float32], "Tensor"]  # where they were computed: numpy's on a processor, else torch's


def host(logits: Logits) -> NDArray[np.float32]:
    """Logits as numpy's array, brought here if they are elsewhere."""
    if isinstance(logits, np.ndarray):
        return logits
    here: NDArray[np.float32] = logits.cpu().numpy()
    return here


def places(low: int, covered: float, pixels: range, corners: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Along one axis, for each pixel: the last of the `low` positions before it, and how far it is to the next, 0..1.

    Args:
        low: positions of the logits.
        covered: pixels that they extend over.
        pixels: that are wanted, of the first `covered`.
        corners: pixels of the network's input for a position, where its first and last pixels lie on the first and
            last positions (align_corners True); 0 where every position is the middle of its pixels.
    """
    half = np.float32(0.5)  # in float32 throughout, as torch does
    inside = low * corners if corners else low
    place = (np.arange(pixels.start, pixels.stop).astype(np.float32) + half) * (
        np.float32(inside) / np.float32(covered)
    ) - half
    if corners:
        place *= np.float32(low - 1) / np.float32(max(inside - 1, 1))
    place = np.maximum(place, np.float32(0))
    cell = np.minimum(place.astype(np.int64), low - 1)
    return cell, np.clip(place - cell, 0, 1).astype(np.float32)


def enlarge(
    logits: Logits, covered: tuple[float, float], size: tuple[int, int], corners: int = 0, rows: range | None = None
) -> Any:
    """Logits (h, w, classes) at the picture's size, (classes, H, W), of `rows` or all; where the logits are.

    For the other arguments see `places`.
    """
    row, down = places(logits.shape[0], covered[0], range(size[0]) if rows is None else rows, corners)
    column, across = places(logits.shape[1], covered[1], range(size[1]), corners)
    below, after = np.minimum(row + 1, logits.shape[0] - 1), np.minimum(column + 1, logits.shape[1] - 1)
    tables: Any = row, below, down[:, None], column, after, across
    if not isinstance(logits, np.ndarray):
        import torch

        tables = (torch.from_numpy(table).to(logits.device) for table in tables)
    row, below, down, column, after, across = tables
    x: Any = logits.swapaxes(1, 2).swapaxes(0, 1)
    x = x[:, row] + (x[:, below] - x[:, row]) * down
    return x[:, :, column] + (x[:, :, after] - x[:, :, column]) * across
