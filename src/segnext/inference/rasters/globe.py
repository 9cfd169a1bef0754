"""Shapes of a raster on the globe: longitude and latitude, as GeoJSON wants them."""

import math
from functools import partial
from typing import Any

import numpy as np
import shapely
import shapely.affinity
from numpy.typing import NDArray
from rasterio.transform import Affine

from segnext import gdal
from segnext.gdal import WGS84, warped


def to_ground(geometries: Any, transform: Affine) -> Any:
    """Shapes in pixels, one or an array of them, in a raster's coordinates."""
    return shapely.transform(geometries, partial(gdal.to_ground, transform))


def to_degrees(polygons: Any, crs: Any) -> Any:
    """Polygons in a raster's coordinates, one or an array, in WGS 84: longitude, from -180 to 180, and latitude.

    One that crosses the antimeridian is cut there (RFC 7946, 3.1.9) and may become a MultiPolygon; around a pole it
    stays whole.

    Raises:
        SegNextError: when nothing leads from there to the Earth.
    """
    found = shapely.transform(polygons, lambda xy: warped(xy, crs, WGS84))
    if isinstance(found, np.ndarray):
        return np.array([_on_map(polygon, crs) for polygon in found], object)
    return _on_map(found, crs)


def _on_map(polygon: Any, crs: Any) -> Any:
    return _cut(polygon if crs.is_geographic else _unrolled(polygon))


def _unrolled(polygon: Any) -> Any:
    """With longitudes that go on beyond 180 where the outline crosses the antimeridian."""
    rings = [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
    if all(np.abs(np.diff(ring[:, 0])).max(initial=0) < 180 for ring in rings):
        return polygon
    for ring in rings:
        ring[:, 0] = np.unwrap(ring[:, 0], period=360)
        ring[:, 0] -= 360 * round((ring[0, 0] - rings[0][:, 0].mean()) / 360)  # a hole beside its outline
    if not all(math.isclose(ring[0, 0], ring[-1, 0]) for ring in rings):
        return polygon
    return shapely.Polygon(rings[0], rings[1:])


def _cut(polygon: Any) -> Any:
    west, _, east, _ = polygon.bounds
    if not math.isfinite(west + east) or (west >= -180 and east <= 180):
        return polygon
    parts: list[NDArray[Any]] = []
    for turn in range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360)):
        inside = shapely.intersection(polygon, shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90))
        parts.append(shapely.get_parts(shapely.affinity.translate(inside, -360 * turn)))
    areas = [part for part in np.concatenate(parts) if part.geom_type == "Polygon"]
    return areas[0] if len(areas) == 1 else shapely.MultiPolygon(areas)
