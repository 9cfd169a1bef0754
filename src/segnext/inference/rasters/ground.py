"""How much ground a pixel covers."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.gdal import WGS84, to_ground, warped

SEMI_MAJOR, FLATTENING = 6378137.0, 1 / 298.257223563  # WGS 84, metres
CELL = 64  # pixels along the side of a cell, in which all count as equal, at most
CELLS = 256  # along a raster's side, if it has as many pixels
Array = NDArray[np.float64]


class Ground:
    """Square metres of ground under each pixel of a raster that says where on Earth it lies.

    Cells of pixels are brought to longitude and latitude, where the ellipsoid's area is known (Snyder, "Map
    Projections: A Working Manual", 1987, equations 3-12 and 14-1): a map's own areas may be several times too large, as
    Web Mercator's are. A corner that is not on Earth makes its cell's area 0; of another planet it is the map's.

    Args:
        crs: of the raster's coordinates, as rasterio tells it.
        transform: from pixels to these.
        height: in pixels.
        width: in pixels.

    Attributes:
        known: whether it says where it lies; else all areas are 0.
    """

    def __init__(self, crs: Any, transform: Any, height: int, width: int) -> None:
        self.width = width
        self.cell = [max(1, min(CELL, side // CELLS)) for side in (height, width)]
        down, across = (
            np.minimum(np.arange(0, side + each, each), side).astype(float)
            for side, each in zip((height, width), self.cell, strict=True)
        )
        columns, rows = np.meshgrid(across, down)
        corners = to_ground(transform, np.column_stack((columns.ravel(), rows.ravel())))
        places = _on_earth(crs, corners, columns.shape)
        self.known = crs is not None and bool(crs.is_geographic or crs.is_projected)
        pixels = np.outer(np.diff(down), np.diff(across))
        if places is not None:
            self.areas: Array = np.nan_to_num(_areas(*places), nan=0, posinf=0, neginf=0) / pixels
        else:
            unit = crs.linear_units_factor[1] if self.known and crs.is_projected else 0
            self.areas = np.full(pixels.shape, abs(transform.determinant) * unit**2)

    def row(self, number: int) -> Array:
        """Of the pixels of a row, (width,)."""
        areas: Array = self.areas[number // self.cell[0]].repeat(self.cell[1])[: self.width]
        return areas


def _on_earth(crs: Any, xy: Array, shape: tuple[int, ...]) -> tuple[Array, Array] | None:
    """Longitudes and latitudes in radians; None of coordinates that do not say where on Earth they are."""
    if crs is None or not (crs.is_geographic or crs.is_projected):
        return None
    try:
        found = warped(xy, crs, WGS84)
    except SegNextError:  # of another planet
        return None
    longitudes, latitudes = (np.radians(each.reshape(shape)) for each in found.T)
    return longitudes, np.clip(latitudes, -math.pi / 2, math.pi / 2)


def _areas(longitudes: Array, latitudes: Array) -> Array:
    """Square metres between four neighbours each of a grid of places."""
    eccentricity = math.sqrt(FLATTENING * (2 - FLATTENING))
    part = eccentricity * np.sin(latitudes)
    q = (1 - eccentricity**2) * (np.sin(latitudes) / (1 - part**2) + np.arctanh(part) / eccentricity)
    with np.errstate(invalid="ignore"):
        one = _turn(longitudes[1:, 1:] - longitudes[:-1, :-1]), q[1:, 1:] - q[:-1, :-1]  # a cell's diagonals
        other = _turn(longitudes[1:, :-1] - longitudes[:-1, 1:]), q[1:, :-1] - q[:-1, 1:]
        areas: Array = np.abs(one[0] * other[1] - one[1] * other[0]) * SEMI_MAJOR**2 / 4
    return areas


def _turn(angles: Array) -> Array:
    """The short way around."""
    return np.asarray(np.remainder(angles + math.pi, 2 * math.pi) - math.pi)
