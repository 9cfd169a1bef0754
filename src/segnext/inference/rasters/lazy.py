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
        """The labels of rows and columns, each an integer or a slice."""
        rows, columns = _pair(key)
        down, across = range(*_slice(rows, self.shape[0])), range(*_slice(columns, self.shape[1]))
        window = self._window(_hull(down), _hull(across))
        row = 0 if isinstance(rows, int | np.integer) else np.asarray(down, np.int64) - min(down, default=0)
        column = 0 if isinstance(columns, int | np.integer) else np.asarray(across, np.int64) - min(across, default=0)
        found: NDArray[np.uint8] = window[row][..., column]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All labels."""
        return np.asarray(self[:, :], dtype)

    def _window(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        found = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        if not found.size:
            return found
        grid, reach = self._grid, self._grid.step  # a pixel lies between the centres of two positions
        numbers = [n for n in range(len(grid.rows)) if _meet(grid.strip(n), rows)]
        wide = slice(columns.start - reach, columns.stop + reach)
        tiles = [n for n, span in enumerate(grid.columns) if _meet(span, wide)]
        with self._open() as raster:
            needed = range(numbers[0], numbers[-1] + 1), self._wanted, range(tiles[0], tiles[-1] + 1)
            for strip in strips(self._pipeline, raster, grid, *needed):
                top, bottom = max(strip.rows.start, rows.start), min(strip.rows.stop, rows.stop)
                part = strip.layers["labels"][top - strip.rows.start : bottom - strip.rows.start, columns]
                found[top - rows.start : bottom - rows.start] = part
        return found

    def _open(self) -> RasterFile:
        return RasterFile(self._name, self._pipeline.preprocess.bands)


def _pair(key: Any) -> tuple[Any, Any]:
    pair = key if isinstance(key, tuple) else (key, slice(None))
    if len(pair) != 2 or not all(isinstance(part, int | np.integer | slice) for part in pair):
        raise SegNextError("labels of a raster are taken by rows and columns, such as labels[1000:2000, :500]")
    return pair


def _slice(part: Any, length: int) -> tuple[int, int, int]:
    if isinstance(part, slice):
        return part.indices(length)
    if not -length <= part < length:
        raise IndexError(f"{part} is outside 0 to {length - 1}")
    return int(part) % length, int(part) % length + 1, 1


def _hull(numbers: range) -> slice:
    return slice(min(numbers), max(numbers) + 1) if numbers else slice(0, 0)


def _meet(one: slice, other: slice) -> bool:
    return bool(one.start < other.stop and other.start < one.stop)
