"""How much ground a pixel covers."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEMI_MAJOR, FLATTENING = 6378137.0, 1 / 298.257223563  # WGS 84, metres


def pixel_areas(crs: Any, transform: Any, height: int) -> NDArray[np.float64] | None:
    """Square metres of a pixel of each row, (height,); None where the raster does not say where it lies.

    In a projection, the map's area; in degrees, the ellipsoid's between the row's parallels (Snyder, "Map Projections:
    A Working Manual", 1987, equations 3-12 and 14-1).
    """
    if crs is None:
        return None
    if not crs.is_geographic:
        return np.full(height, abs(transform.determinant) * crs.linear_units_factor[1] ** 2)
    columns = np.arange(height + 1)
    latitudes = np.radians(np.clip(transform.f + transform.e * columns, -90, 90))
    eccentricity = math.sqrt(FLATTENING * (2 - FLATTENING))
    part = eccentricity * np.sin(latitudes)
    q = (1 - eccentricity**2) * (np.sin(latitudes) / (1 - part**2) + np.arctanh(part) / eccentricity)
    areas: NDArray[np.float64] = SEMI_MAJOR**2 * math.radians(abs(transform.a)) * np.abs(np.diff(q)) / 2
    return areas
