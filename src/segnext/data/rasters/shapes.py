"""Polygons in a raster's coordinates, burnt into windows of it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.gdal import warped
from segnext.silence import silenced


@dataclass(frozen=True, eq=False)
class Shapes:
    """All polygons of a file.

    Attributes:
        geometries: shapely polygons in a raster's coordinates.
        values: of a field, one for each; None where none was asked for.
        tree: finds those near a window.
    """

    geometries: NDArray[Any]
    values: NDArray[Any] | None
    tree: Any

    def near(self, area: Any) -> NDArray[np.int64]:
        """The numbers of the polygons that touch an area, in their order."""
        found: NDArray[np.int64] = np.sort(self.tree.query(area, predicate="intersects"))
        return found


def version(file: Path) -> tuple[Path, int, int]:
    """What changes with a file, which may be mended while we keep what was read of it."""
    try:
        status = file.stat()
    except (OSError, ValueError):  # said by who reads it
        return file, 0, 0
    return file, status.st_mtime_ns, status.st_size


def read_shapes(file: Path, field: str | None, crs: Any) -> Shapes:
    """The polygons of a file, brought into the coordinate system `crs` (None: as they are).

    Raises:
        SegNextError: when it cannot be read, has no such field, or nobody says where it lies.
    """
    return _read(version(file), field, crs)


@lru_cache(maxsize=16)
def _read(kept: tuple[Path, int, int], field: str | None, crs: Any) -> Shapes:
    import pyogrio
    import rasterio.crs
    import shapely

    file = kept[0]
    try:
        meta, _, found, values = pyogrio.raw.read(file, columns=[] if field is None else [field])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError) as error:
        raise SegNextError(
            f"{file}: cannot be read as polygons ({error}); give .gpkg, .geojson, .fgb or .shp"
        ) from error
    if field is not None and not values:
        raise SegNextError(f"{file}: its polygons have no field '{field}'; see 'attribute' in dataset.yaml")
    geometries = shapely.from_wkb(found) if found is not None else np.zeros(0, object)
    if crs is not None:
        if not meta["crs"]:
            raise SegNextError(f"{file}: does not say which coordinate system it is in; save it with one")
        own = rasterio.crs.CRS.from_user_input(meta["crs"])
        if own != crs:
            geometries = shapely.transform(geometries, lambda xy: warped(xy, own, crs))
    geometries = shapely.make_valid(geometries)
    return Shapes(geometries, values[0] if field is not None else None, shapely.STRtree(geometries))


def burn(out: NDArray[np.uint8], geometries: Any, values: Any, transform: Any) -> None:
    """Write values where the pixels' centres lie in geometries; later ones lie over earlier ones."""
    import rasterio.features

    pairs = [(shape, int(value)) for shape, value in zip(geometries, values, strict=True) if not shape.is_empty]
    if pairs:
        with silenced:
            rasterio.features.rasterize(pairs, out=out, transform=transform)


def inside(shapes: Shapes, area: Any, size: tuple[int, int], transform: Any) -> NDArray[np.bool_]:
    """Where a window lies in any of the polygons, (H, W)."""
    marked = np.zeros(size, np.uint8)
    near = shapes.geometries[shapes.near(area)]
    burn(marked, near, np.ones(len(near)), transform)
    return np.asarray(marked == 1)


def to_pixels(transform: Any, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """From where places lie to columns and rows, (N, 2)."""
    a, b, c, d, e, f = transform[:6]
    return np.linalg.solve(np.array([[a, b], [d, e]]), (xy - (c, f)).T).T


def moved(transform: Any, left: int, top: int) -> Any:
    """The grid of a window that begins at a column and a row."""
    a, b, c, d, e, f = transform[:6]
    return type(transform)(a, b, c + a * left + b * top, d, e, f + d * left + e * top)


def enlarged(transform: Any, across: float, down: float) -> Any:
    """The grid whose pixels are so many times as wide and high."""
    a, b, c, d, e, f = transform[:6]
    return type(transform)(a * across, b * down, c, d * across, e * down, f)
