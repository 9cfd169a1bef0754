"""Where tiles lie on a picture or raster, how they fade into each other, which rows are done when: geometry alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError

TILE, OVERLAP = 512, 128  # pixels


@dataclass(frozen=True)
class Grid:
    """Square tiles, or windows, over a raster, row by row; all lengths in pixels of the raster.

    Tiles begin every `tile - overlap` pixels; the last of a row or column is moved inwards, so that it ends with the
    raster, which counts as filled up to a multiple of `stride` below and on the right. A side shorter than a tile has
    one, as long as that side. This is the released code's geometry.

    Attributes:
        height: of the raster.
        width: of the raster.
        step: pixels for a position of the network's logits.
        tile: side of a tile.
        overlap: of neighbouring tiles.
        stride: of the network's last stage, of which a tile is a multiple.

    Raises:
        SegNextError: when tile and overlap do not fit each other or the network.
    """

    height: int
    width: int
    step: int
    tile: int = TILE
    overlap: int = OVERLAP
    stride: int = 32

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        stride = self.stride
        if self.tile < stride or self.tile % stride or self.overlap % self.step or not 0 <= self.overlap < self.tile:
            raise SegNextError(
                f"tile is {self.tile} and overlap {self.overlap}; a tile must be a multiple of {stride}, and the "
                f"overlap a multiple of {self.step} below it, such as {TILE} and {OVERLAP}"
            )

    @cached_property
    def rows(self) -> list[slice]:
        """The pixels of each row of tiles, those of the filling included."""
        return self._spans(self.height)

    @cached_property
    def columns(self) -> list[slice]:
        """The pixels of each column of tiles."""
        return self._spans(self.width)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each tile."""
        return self.rows[0].stop, self.columns[0].stop

    def _spans(self, length: int) -> list[slice]:
        return list(spans(length + -length % self.stride, self.tile, self.tile - self.overlap))

    def strip(self, number: int) -> slice:
        """The raster's rows that are finished once row `number` of tiles is done: together, all, each once.

        A pixel lies between the positions of two logits, so that a strip ends half a position before the next row of
        tiles begins.
        """
        first, last = number == 0, number == len(self.rows) - 1
        top = 0 if first else self.rows[number].start - self.step // 2
        return slice(top, self.height if last else self.rows[number + 1].start - self.step // 2)

    def first_row(self, number: int) -> int:
        """The first row of tiles that strip `number` takes something from."""
        above = self.rows[number].start - self.step if number else 0
        return next(row for row, span in enumerate(self.rows) if span.stop > above)

    def fade(self, span: slice, spans: list[slice]) -> NDArray[np.float32]:
        """The weights, above 0 to 1, of a tile's positions along one side: a Hann window's flanks where tiles overlap.

        There are no flanks at the raster's own edges.
        """
        weights = np.ones((span.stop - span.start) // self.step, np.float32)
        flank = self.overlap // self.step
        rise = np.sin(np.pi / 2 * (np.arange(flank) + 0.5) / max(flank, 1)).astype(np.float32) ** 2
        if span.start > 0:
            weights[:flank] *= rise
        if span.stop < spans[-1].stop:
            weights[len(weights) - flank :] *= rise[::-1]
        return weights


def spans(length: int, crop: int, stride: int) -> Iterator[slice]:
    """Windows of `crop` along one side, every `stride` pixels; see `Grid`.

    Raises:
        ValueError: when length, crop or stride are not positive, or the stride would leave gaps.
    """
    if min(length, crop) < 1 or not 1 <= stride <= crop:
        raise ValueError(f"windows of {crop} every {stride} cannot cover {length}")
    last = max(length - crop, 0)  # where the last window begins
    for start in range(0, last + stride, stride):
        start = min(start, last)
        yield slice(start, min(start + crop, length))
