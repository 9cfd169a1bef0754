"""Overlapping tiles' logits, averaged by their weights, in a window of rows that moves down the picture or raster."""

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]  # (rows, columns, classes)


class Blend:
    """Sums of weighted logits for the rows that are not finished, which become means where they lie.

    Args:
        width: positions of logits in a row of the raster.
        classes: how many there are.
        top: the first row of positions that is wanted; what tiles say above it is dropped.
        rows: that there is room for from the beginning; more is made as it is needed.

    Attributes:
        top: the first row that is not forgotten.
    """

    def __init__(self, width: int, classes: int, top: int = 0, rows: int = 0) -> None:
        self.top = self._bottom = top  # above the second, rows are means
        self.total = np.zeros((rows, width, classes), np.float32)
        self.weight = np.zeros((rows, width, 1), np.float32)

    def add(self, top: int, left: int, logits: Logits, down: NDArray[np.float32], across: NDArray[np.float32]) -> None:
        """Add a tile.

        Args:
            top: the row of its first position in the raster.
            left: the column of its first position.
            logits: the tile's.
            down: weights of its rows.
            across: weights of its columns.
        """
        height, width, _ = logits.shape
        self._reach(top + height)
        dropped = max(self._bottom - top, 0)
        weights = (down[:, None, None] * across[None, :, None])[dropped:]
        rows = slice(top + dropped - self.top, top + height - self.top)
        columns = slice(left, left + width)
        self.total[rows, columns] += logits[dropped:] * weights
        self.weight[rows, columns] += weights

    def means(self, bottom: int) -> Logits:
        """Of all rows above `bottom`, to which nothing is added any more; they are there until `forget`.

        Where no tile was added they are 0.
        """
        self._reach(bottom)
        new = slice(self._bottom - self.top, bottom - self.top)
        total, weight = self.total[new], self.weight[new]
        np.divide(total, weight, out=total, where=weight > 0)
        self._bottom = bottom
        return self.total[: new.stop]

    def forget(self, top: int) -> None:
        """Make room of the rows above `top`."""
        gone = max(top - self.top, 0)
        for part in (self.total, self.weight):
            left = len(part) - gone
            part[:left] = part[gone:]
            part[left:] = 0
        self.top += gone

    def _reach(self, bottom: int) -> None:
        """Make room for the rows above `bottom`."""
        more = bottom - self.top - len(self.total)
        if more > 0:
            self.total, self.weight = (
                np.concatenate([part, np.zeros((more, *part.shape[1:]), np.float32)])
                for part in (self.total, self.weight)
            )
