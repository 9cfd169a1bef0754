"""Labels as polygons, strip by strip; what strips cut is joined again."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.gdal import WGS84
from segnext.inference.rasters.globe import to_degrees, to_ground
from segnext.labels import Labels
from segnext.silence import silenced

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}
LAYER = "polygons"
Edge = tuple[float, float]  # columns between which a polygon touches a strip's border


@dataclass
class Piece:
    """Part of an area, in pixels of the raster; `joined` leads to the piece that stands for all of the same area."""

    label: int
    shape: Any
    parts: list[Any] = field(default_factory=list)
    joined: "Piece | None" = None

    def head(self) -> "Piece":
        """The piece that stands for this one's area."""
        piece = self
        while piece.joined is not None:
            piece = piece.joined
        return piece


def areas(strips: Iterable[NDArray[np.uint8]], ignore: int) -> Iterator[tuple[int, Any]]:
    """Each connected area of one label (over edges, not corners) and its polygon, in pixels of the raster.

    Args:
        strips: labels (H, W) from the top to the bottom.
        ignore: the label that makes no area.

    Yields:
        The label and a shapely polygon, areas that end higher first.
    """
    open_pieces: list[Piece] = []  # that reach the bottom of the strip before
    top = 0
    for strip in strips:
        bottom = top + len(strip)
        with silenced:
            shapes = [*rasterio.features.shapes(strip, strip != ignore, 4, Affine.translation(0, top))]
        pieces = [Piece(int(label), shapely.geometry.shape(shape)) for shape, label in shapes]
        for piece in pieces:
            piece.parts.append(piece.shape)
        _join(open_pieces, pieces, top)
        reaching = [piece for piece in pieces if piece.shape.bounds[3] == bottom]
        heads = {id(piece.head()) for piece in reaching}
        ended = {id(piece.head()): piece.head() for piece in [*open_pieces, *pieces]}
        yield from (_whole(piece) for key, piece in ended.items() if key not in heads)
        open_pieces, top = reaching, bottom
    yield from (_whole(piece) for piece in {id(piece.head()): piece.head() for piece in open_pieces}.values())


def _join(above: list[Piece], below: list[Piece], border: int) -> None:
    """Join pieces of a label that share an edge along the row `border`."""
    upper = sorted((*edge, number) for number, piece in enumerate(above) for edge in _edges(piece.shape, border))
    lower = sorted((*edge, number) for number, piece in enumerate(below) for edge in _edges(piece.shape, border))
    i = j = 0
    while i < len(upper) and j < len(lower):
        one, other = above[upper[i][2]], below[lower[j][2]]
        if min(upper[i][1], lower[j][1]) > max(upper[i][0], lower[j][0]) and one.label == other.label:
            head, rest = one.head(), other.head()
            if head is not rest:
                rest.joined = head
                head.parts += rest.parts
                rest.parts = []
        if upper[i][1] <= lower[j][1]:
            i += 1
        else:
            j += 1


def _edges(polygon: Any, border: int) -> Iterator[Edge]:
    """Where a polygon's outer ring runs along the row `border`."""
    points = shapely.get_coordinates(polygon.exterior)
    along = (points[:-1, 1] == border) & (points[1:, 1] == border)
    for start, end in zip(points[:-1, 0][along], points[1:, 0][along], strict=True):
        yield min(start, end), max(start, end)


def _whole(piece: Piece) -> tuple[int, Any]:
    shape = piece.parts[0] if len(piece.parts) == 1 else shapely.union_all(piece.parts)
    return piece.label, shapely.normalize(shapely.simplify(shape, 0))  # without the points that strips left on edges


def write_polygons(
    file: Path,
    found: Iterable[tuple[int, Any]],
    transform: Affine,
    crs: Any,
    labels: Labels,
    simplify: float = 0,
    run: str = "",
) -> int:
    """Write a GeoPackage, GeoJSON or FlatGeobuf, by the suffix of `file`; how many areas.

    Args:
        file: to write.
        found: what `areas` gives.
        transform: from pixels to the raster's coordinates.
        crs: of these, or None. GeoJSON is in WGS 84, if there is one.
        labels: what the labels mean.
        simplify: pixels by which edges may move; those that areas share stay shared.
        run: stands for all that they depend on; see `run_of`.

    Raises:
        SegNextError: when the suffix is unknown or it cannot be written.
    """
    import pyogrio

    driver = driver_of(file)
    numbers, shapes = [], []
    for label, shape in found:
        numbers.append(label)
        shapes.append(shape)
    geometries = np.array(shapes, object)
    if simplify and len(geometries):
        corners = shapely.segmentize(geometries, 1)  # neighbours share edges where both have all their corners
        geometries = shapely.coverage_simplify(corners, simplify)
    geometries = to_ground(geometries, transform)
    target = crs
    if driver == "GeoJSON" and crs is not None and len(geometries):
        target = WGS84
        geometries = to_degrees(geometries, crs)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "1970-01-01T00:00:00.000Z"})  # equal content, equal bytes
    label_numbers = np.array(numbers, np.int32)
    names = np.array([labels.classes[label] for label in numbers], object)
    content = io.BytesIO()  # not the file: what cannot be written when it is closed GDAL tells nobody
    try:
        with silenced:  # pyogrio remarks that there is no crs
            pyogrio.raw.write(
                content,
                layer=LAYER,
                geometry=np.array(shapely.to_wkb(geometries), object),
                field_data=[label_numbers, names],
                fields=["label", "class"],
                geometry_type="Polygon",
                crs=None if target is None else target if isinstance(target, str) else target.to_wkt(),
                driver=driver,
                layer_options={"DESCRIPTION": run},
            )
        with replacing(file) as temporary:
            temporary.write_bytes(content.getbuffer())
    except (pyogrio.errors.DataSourceError, OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SegNextError(f"{file}: cannot be written ({reason}); make room or choose another place") from error
    return len(numbers)


def run_of(file: Path) -> str | None:
    """What `write_polygons` was told of the run; None of a file that it has not written."""
    import pyogrio

    try:
        with silenced:
            about = pyogrio.read_info(file.absolute(), layer=LAYER)["layer_metadata"] or {}
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError, RuntimeError):
        return None
    return str(about.get("DESCRIPTION"))


def driver_of(file: Path) -> str:
    """GDAL's name for the kind of file.

    Raises:
        SegNextError: when it is none of DRIVERS.
    """
    driver = DRIVERS.get(file.suffix.lower())
    if driver is None:
        raise SegNextError(f"{file}: polygons are written as {', '.join(DRIVERS)}; give one of these suffixes")
    return driver
