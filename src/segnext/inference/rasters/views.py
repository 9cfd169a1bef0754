"""How often a tile is looked at: mirrored, turned, at several scales. The logits of all looks are averaged."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]  # (H, W, bands or classes)
Turn = Callable[[Array], Array]


def turned(view: int) -> tuple[Turn, Turn]:
    """View 0..7 of the square's symmetries (D4), and how it is turned back; 4 is the mirror image."""
    quarters, mirrored = view % 4, view >= 4

    def there(x: Array) -> Array:
        return np.ascontiguousarray(np.rot90(x[:, ::-1] if mirrored else x, quarters))

    def back(x: Array) -> Array:
        x = np.rot90(x, -quarters)
        return np.ascontiguousarray(x[:, ::-1] if mirrored else x)

    return there, back


def looks(tile: Array, scales: tuple[float, ...], views: tuple[int, ...], stride: int) -> Iterator[tuple[Array, Turn]]:
    """Each look at a prepared tile, and what turns its logits back; they then are to be resized to the tile's.

    `stride` is that of the network's last stage, of which the sides of a look are multiples.
    """
    height, width, bands = tile.shape
    for scale in scales:
        size = tuple(max(stride, round(side * scale / stride) * stride) for side in (height, width))
        scaled = tile
        if size != (height, width):
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            scaled = np.asarray(cv2.resize(tile, size[::-1], interpolation=how), np.float32).reshape(*size, bands)
        for view in views:
            there, back = turned(view)
            yield there(scaled), back


def mean_logits(logits: list[Array]) -> Array:
    """The mean of several looks, at the first one's resolution."""
    if len(logits) == 1:
        return logits[0]
    height, width, classes = logits[0].shape
    total = np.zeros_like(logits[0])
    for each in logits:
        for start in range(0, classes, 4):  # OpenCV resizes a few channels at a time
            part = np.ascontiguousarray(each[..., start : start + 4])
            if part.shape[:2] != (height, width):
                wide = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
                part = np.asarray(wide, np.float32).reshape(height, width, -1)
            total[..., start : start + 4] += part
    return total / np.float32(len(logits))
