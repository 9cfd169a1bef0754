"""GDAL, as all use it that read rasters: names, errors as one sentence, and where on the ground things lie."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.files import ADDRESS
from segnext.silence import silenced

WGS84 = "EPSG:4326"
logging.getLogger("rasterio").addHandler(logging.NullHandler())  # else its messages go to the terminal


def called(name: str | Path) -> str:
    """What to call a file in GDAL: its whole path, as it takes "zip:a.tif" or "https:a.tif" for something else.

    An address stays as it is.

    Raises:
        SegNextError: when the name is no text, which GDAL needs.
    """
    text = str(name) if ADDRESS.match(str(name)) else str(Path(name).absolute())
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SegNextError(f"{name}: its name or a folder's is not valid UTF-8; rename it") from error
    return text


@contextmanager
def reading(name: str | Path, **environment: Any) -> Iterator[None]:
    """Within, GDAL has these settings, and what it cannot read is a sentence.

    Raises:
        SegNextError: saying so, or that rasterio is not installed.
    """
    try:
        import rasterio
    except ImportError as error:
        raise SegNextError(f"{name}: rasters need rasterio; install it with pip install 'segnext[raster]'") from error
    try:
        with rasterio.Env(**environment), silenced:
            yield
    except (rasterio.errors.RasterioError, OSError) as error:
        reason = " ".join(str(error.__cause__ or error).split()).split(" (this error can be turned")[0]
        far = "check the address and the network, or download it: some servers give no parts of files"
        where = far if ADDRESS.match(str(name)) else "copy it again or check its kind"
        if str(name).lower().endswith(".vrt"):
            where = "a .vrt refers to other files, which are not followed: gdal_translate makes one .tif of them"
        raise SegNextError(f"{name}: cannot be read as a raster ({reason}); {where}") from error


def type_of(raster: Any, name: str | Path) -> np.dtype[Any]:
    """The type of a raster's values.

    Raises:
        SegNextError: when they are no real numbers; some of those types numpy does not know.
    """
    kind = str(raster.dtypes[0])
    if kind.startswith("complex"):
        raise SegNextError(f"{name}: holds values of type {kind}; save real numbers")
    return np.dtype(kind)


def to_ground(transform: Any, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates of pixels' corners, (N, 2): columns and rows to where they lie."""
    a, b, c, d, e, f = transform[:6]
    return np.column_stack((a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f))


def warped(xy: NDArray[np.float64], source: Any, target: Any) -> NDArray[np.float64]:
    """Coordinates (N, 2) in one system, x and y, in another; infinite where they have no place there.

    Raises:
        SegNextError: when nothing leads from one to the other, as between planets.
    """
    import rasterio
    from rasterio._err import CPLE_BaseError
    from rasterio.warp import transform

    try:
        with silenced:
            return np.column_stack(transform(source, target, xy[:, 0], xy[:, 1]))
    except (rasterio.errors.RasterioError, CPLE_BaseError) as error:  # some of GDAL's come as they are
        names = [each if isinstance(each, str) else each.to_string()[:60] for each in (source, target)]
        raise SegNextError(
            f"nothing leads from the coordinate system {names[0]} to {names[1]}; warp the file"
        ) from error
