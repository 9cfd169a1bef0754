"""A raster's labels, found where they are asked for."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.inference.rasters.source import RasterFile
from segnext.inference.rasters.strips import Pipeline, Wanted, strips
from segnext.inference.testing import Testing
from segnext.inference.tiling import OVERLAP, TILE, Grid


class LazyLabels:
    """Reads like an array of labels, (H, W) uint8; slices of it are what `segnext predict` writes there.

    The network sees the tiles that a slice needs, each time anew. `numpy.asarray` of it is the whole.

    Args:
        pipeline: a segmenter.
        name: a path, or an address that GDAL reads.
        testing: at which scales and whether mirrored too.
        tile: side in pixels, a multiple of 32.
        overlap: of neighbouring tiles.
        d4: whether tiles are looked at in all eight views, turned and mirrored.

    Attributes:
        shape: height and width.
        crs: of the raster (a rasterio CRS), or None.
        transform: from pixels, (column, row), to its coordinates.
        labels: what labels mean; the ignore label is where nothing was measured.

    Raises:
        SegNextError: when the raster cannot be read or has other bands than the weights take.
    """

    dtype = np.dtype(np.uint8)
    ndim = 2

    def __init__(
        self,
        pipeline: Pipeline,
        name: str | Path,
        testing: Testing,
        tile: int = TILE,
        overlap: int = OVERLAP,
        d4: bool = False,
    ) -> None:
        self._pipeline, self._name = pipeline, name
        self._wanted = Wanted.of(testing, pipeline.config, d4=d4)
        self.labels = pipeline.labels
        with self._open() as raster:
            self.shape: tuple[int, int] = (raster.height, raster.width)
            self.crs, self.transform = raster.crs, raster.transform
        config = pipeline.config
        self._grid = Grid(*self.shape, config.logits_stride, tile, overlap, config.strides[-1])

    def __repr__(self) -> str:
        """Where from, and how large."""
        return f"<{type(self).__name__} of {self._name}: {self.shape[1]} x {self.shape[0]}>"

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """The labels of rows and columns, each an integer or a slice; in memory are those that are asked for."""
        rows, columns = _pair(key)
        down = np.arange(*_slice(rows, self.shape[0]))
        across = np.arange(*_slice(columns, self.shape[1]))
        found = self._labels(down, across)
        row, column = (slice(None) if isinstance(part, slice) else 0 for part in (rows, columns))
        picked: NDArray[np.uint8] = found[row][..., column]
        return picked

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All labels."""
        return np.asarray(self[:, :], dtype)

    def _labels(self, down: NDArray[np.int64], across: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Of rows and columns, in any order."""
        found = np.empty((len(down), len(across)), np.uint8)
        if not found.size:
            return found
        grid, reach = self._grid, self._grid.step  # a pixel lies between the centres of two positions
        rows = slice(int(down.min()), int(down.max()) + 1)
        wide = slice(int(across.min()) - reach, int(across.max()) + 1 + reach)
        numbers = [n for n in range(len(grid.rows)) if _meet(grid.strip(n), rows)]
        tiles = [n for n, span in enumerate(grid.columns) if _meet(span, wide)]
        with self._open() as raster:
            needed = range(numbers[0], numbers[-1] + 1), self._wanted, range(tiles[0], tiles[-1] + 1)
            for strip in strips(self._pipeline, raster, grid, *needed):
                here = (down >= strip.rows.start) & (down < strip.rows.stop)
                found[here] = strip.layers["labels"][down[here] - strip.rows.start][:, across]
        return found

    def _open(self) -> RasterFile:
        return RasterFile(self._name, self._pipeline.preprocess.bands)


def _pair(key: Any) -> list[Any]:
    parts = key if isinstance(key, tuple) else (key,)
    given = [part for part in parts if part is not Ellipsis]
    if len(parts) - len(given) <= 1 and len(given) <= 2 and all(map(_is_place, given)):
        first = next((place for place, part in enumerate(parts) if part is Ellipsis), len(given))
        whole = [slice(None)] * (2 - len(given))
        return given[:first] + whole + given[first:]
    raise SegNextError("labels of a raster are taken by rows and columns, such as labels[1000:2000, :500]")


def _is_place(part: Any) -> bool:
    return isinstance(part, int | np.integer | slice) and not isinstance(part, bool)


def _slice(part: Any, length: int) -> tuple[int, int, int]:
    if isinstance(part, slice):
        return part.indices(length)
    if not -length <= part < length:
        raise IndexError(f"{part} is outside 0 to {length - 1}")
    return int(part) % length, int(part) % length + 1, 1


def _meet(one: slice, other: slice) -> bool:
    return bool(one.start < other.stop and other.start < one.stop)
