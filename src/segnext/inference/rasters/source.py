"""A raster file or address, read window by window."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window

from segnext.bands import require_bands
from segnext.errors import SegNextError
from segnext.files import ADDRESS, require_regular
from segnext.gdal import called, reading, type_of
from segnext.preprocess import Bands
from segnext.words import counted

# Pixels alone: some other drivers open what a file refers to, or run what it says.
DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG")
CACHE = 256 << 20  # bytes, for unpacked blocks and for the strip that is being made of them
STRIP = 1536  # bytes of a strip, by pixels of the width: sums of 19 classes, where they were measured, labels
ENVIRONMENT = {
    "GDAL_CACHEMAX": CACHE,
    "GDAL_HTTP_TIMEOUT": 60,
    "GDAL_HTTP_LOW_SPEED_TIME": 60,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 100,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
}

ELSEWHERE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}  # on the network: not what may lie beside a file


class RasterFile:
    """An open raster, as the network's preprocessing wants it.

    Args:
        name: a path or an address.
        bands: what its bands are; None for RGB pictures of 8 bits.

    Attributes:
        name: as given.
        height: in pixels.
        width: in pixels.
        crs, transform, gcps, rpcs: where it lies on Earth, as rasterio tells it.

    Raises:
        SegNextError: when it cannot be opened or has other bands than the weights take.
    """

    def __init__(self, name: str | Path, bands: Bands | None) -> None:
        self.name, self.bands = str(name), bands
        if not ADDRESS.match(self.name):
            require_regular(name, "a raster")
        with _reading(self.name):
            self.file = rasterio.DatasetReader(called(self.name), driver=list(DRIVERS))
        try:
            self.height, self.width = self.file.shape
            self._cache = {"GDAL_CACHEMAX": max(CACHE - STRIP * self.width, CACHE // 2)}
            self.crs, self.transform = self.file.crs, self.file.transform
            self.gcps, self.rpcs = self.file.gcps, self.file.rpcs
            self._chosen = self._bands_to_read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __enter__(self) -> "RasterFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def read(self, rows: slice, columns: slice) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """A window of it, as far as it lies inside the raster.

        Returns:
            (H, W, bands), uint8 for RGB, float32 with NaN where not measured for named bands; and (H, W), where
            anything was measured.

        Raises:
            SegNextError: when the file is damaged there, or cannot be reached.
        """
        window = Window.from_slices(
            (rows.start, min(rows.stop, self.height)), (columns.start, min(columns.stop, self.width))
        )
        with _reading(self.name, **self._cache):
            values: NDArray[Any] = self.file.read(self._chosen, window=window)
            valid = self._valid(values, window)
        if self.bands is not None:
            values = values.astype(np.float32)
            valid &= np.isfinite(values)
            values[~valid] = np.nan
        elif self._palette is not None:
            *colors, opacity = self._palette[values[0]].transpose(2, 0, 1)
            values = np.stack(colors)
            valid = valid & (opacity > 0)
        elif len(values) == 1:
            values = values.repeat(3, axis=0)
        anything: NDArray[np.bool_] = np.logical_or.reduce(valid, axis=0)
        pixels = np.asarray(cv2.merge(list(values)), values.dtype).reshape(*anything.shape, len(values))
        return pixels, anything

    def _valid(self, values: NDArray[Any], window: Window) -> NDArray[np.bool_]:
        """Where each band was measured, by the file's nodata value, mask or transparency, and the weights' nodata."""
        flags = self.file.mask_flag_enums[self._chosen[0] - 1]
        if MaskFlags.all_valid in flags:
            valid = np.ones(values.shape, np.bool_)
        elif MaskFlags.nodata in flags:
            valid = self.file.read_masks(self._chosen, window=window) > 0
            if self.bands is None:  # a pixel of that colour; one channel of that value is a colour like others
                valid = np.broadcast_to(valid.any(0), values.shape).copy()
        else:
            valid = np.broadcast_to(self.file.read_masks(self._chosen[0], window=window) > 0, values.shape).copy()
        if self.bands is not None and self.bands.nodata is not None:
            valid &= values != self.bands.nodata
        return valid

    def _bands_to_read(self) -> list[int]:
        """The numbers, from 1, of the bands that the network takes.

        Raises:
            SegNextError: when they are others than the weights'.
        """
        dtype = type_of(self.file, self.name)
        colors = self.file.colorinterp
        self._palette: NDArray[np.uint8] | None = None
        if self.bands is not None:
            count = self.file.count - (colors[-1] == ColorInterp.alpha and self.file.count == len(self.bands.names) + 1)
            require_bands(count, dtype, self.bands, self.name)
            return [position + 1 for position in self.bands.positions]
        count = self.file.count - (self.file.count in (2, 4) and colors[-1] == ColorInterp.alpha)
        if dtype != np.uint8 or count not in (1, 3):
            chosen = "-b 1 -b 2 -b 3" if self.file.count >= 3 else "-b 1"
            bands = counted(self.file.count, "band")
            raise SegNextError(
                f"{self.name}: has {bands} of type {dtype}, but these weights take pictures, RGB of 8 bits; use "
                "weights trained on such bands (bands: in dataset.yaml), or convert it with "
                f"gdal_translate {chosen} -ot Byte -scale"
            )
        if count == 1 and colors[0] == ColorInterp.palette:
            table = self.file.colormap(1)
            self._palette = np.array([table.get(value, (0, 0, 0, 0)) for value in range(256)], np.uint8)
        elif count == 1 and (bits := int(self.file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))) < 8:
            grey = np.rint(np.linspace(0, 255, 1 << bits)).astype(np.uint8)  # 0 to 1 or 15 are black to white
            self._palette = np.column_stack([grey, grey, grey, np.full_like(grey, 255)])
        return [1] if count == 1 else [1, 2, 3]


@contextmanager
def open_raster(name: str) -> Iterator[rasterio.DatasetReader]:
    """A raster, whatever its bands are.

    Raises:
        SegNextError: when it cannot be read.
    """
    with _reading(name), rasterio.DatasetReader(called(name), driver=list(DRIVERS)) as raster:
        yield raster


def _reading(name: str, **environment: int) -> AbstractContextManager[None]:
    elsewhere = ELSEWHERE if ADDRESS.match(name) else {}
    return reading(name, **{**ENVIRONMENT, **elsewhere, **environment})
