"""Raster files for tests, written as other tools write them."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray


def write_tiff(path: Path, values: NDArray[Any], mask: NDArray[np.uint8] | None = None, **options: Any) -> Path:
    """Write (H, W, bands) values as a TIFF, with a mask (H, W) of 0 and 255 inside; `options` are rasterio's."""
    height, width, count = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": values.dtype.name}
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a missing geotransform
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(path, "w", **profile, **options) as raster,
        ):
            raster.write(np.ascontiguousarray(values.transpose(2, 0, 1)))
            if mask is not None:
                raster.write_mask(mask)
    return path
