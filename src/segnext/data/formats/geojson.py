"""Polygons in GeoJSON over georeferenced rasters (RFC 7946): NAME.geojson beside NAME.tif, or one file over all.

The class is the property `class`, or the one that most features have, words before numbers; features without it are
ignored.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from segnext.bands import GDAL_DRIVERS
from segnext.data.formats.canvas import Canvas, Points, points_of
from segnext.data.formats.options import Options
from segnext.data.formats.pictures import annotations_of
from segnext.data.formats.shapes import IGNORED, Drawing, Found, Json, Shape, shapes_source
from segnext.data.formats.source import Item, Problem, Source
from segnext.data.formats.via import ONLY, main_attribute, value_of
from segnext.data.names import folders_of, stem_of
from segnext.documents import read_json
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet
from segnext.silence import silenced
from segnext.words import share

DEFAULT = "OGC:CRS84"  # degrees of longitude and latitude, which RFC 7946 demands
RASTERS = (".tif", ".tiff", ".jp2")


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Every raster that features lie on; classes are a property's values, sorted by name, after the background."""
    documents, pictures = annotations_of(options, ".geojson")
    found = Found(remarks=["where features overlap, later ones in the file lie on top"])
    layers: dict[Path, tuple[str, list[Json]]] = {}
    for file in documents:
        with found.reading(file):
            layers[file] = _read(file)
    features = [feature for _, entries in layers.values() for feature in entries]
    attribute, without = main_attribute([feature.get("properties") for feature in features])
    if attribute is not None and without:
        part = share(without, len(features))
        found.remarks.append(f"features without '{attribute}', ignored: {without} of {len(features)} ({part})")
    rasters = [file for file in pictures.all if file.suffix.lower() in RASTERS]
    for done, image in enumerate(rasters, 1):
        own = [file for file in layers if stem_of(file) == stem_of(image)]
        for file in own or [file for file in layers if not any(stem_of(file) == stem_of(other) for other in rasters)]:
            _add(found, image, file, *layers[file], attribute, options)
        watch("rasters", done, len(rasters))
    return shapes_source(found, options, rasters, "features of")


def _read(file: Path) -> tuple[str, list[Json]]:
    """The coordinate system of a file, and its features."""
    content = read_json(file)
    entries = content.get("features") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise SegNextError(f"{file}: not a GeoJSON collection of features; give one")
    crs: Any = content.get("crs")
    properties: Any = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return str(name or DEFAULT)[:200], [entry for entry in entries if isinstance(entry, dict)]


def _add(
    found: Found, image: Path, file: Path, crs: str, features: list[Json], attribute: str | None, options: Options
) -> None:
    """Add a raster with what lies on it of a file's features."""
    from rasterio import DatasetReader
    from rasterio.warp import transform

    if any(drawing.item.image == image for drawing in found.drawings):
        return
    try:
        with DatasetReader(image, driver=list(GDAL_DRIVERS)) as raster:
            target, to_pixels = raster.crs, ~raster.transform
            height, width = raster.shape
        if target is None:
            raise SegNextError("it has no coordinate system; georeference it")

        def pixels(points: Points) -> Points:
            x, y = transform(crs, target, *points.T.tolist())
            columns = to_pixels.a * np.array(x) + to_pixels.b * np.array(y) + to_pixels.c
            rows = to_pixels.d * np.array(x) + to_pixels.e * np.array(y) + to_pixels.f
            return np.stack([columns, rows], 1).round(3)

        drawn = [(_class(feature, attribute), _polygons(feature, pixels)) for feature in features]
    except Exception as error:  # rasterio and the library behind it raise almost anything
        found.problems.append(Problem(image, "unreadable mask", f"{file.name} cannot be laid on it ({error})"))
        return
    inside = [(name, shapes) for name, shapes in drawn if any(_touches(rings[0], height, width) for rings in shapes)]
    if not inside:
        return
    path = image.relative_to(options.source if options.source.is_dir() else options.source.parent)
    name = PurePosixPath(*folders_of(path), image.stem).as_posix()
    found.drawings.append(Drawing(Item(name, image, file), partial(_shapes, inside)))
    found.names.update(Counter(name for name, _ in inside))


def _class(feature: Json, attribute: str | None) -> str:
    return ONLY if attribute is None else value_of(feature.get("properties"), attribute) or IGNORED


def _polygons(feature: Json, pixels: Any) -> list[list[Points]]:
    """The polygons of a feature, each an outline and its holes, in pixels of the raster."""
    geometry = feature.get("geometry") or {}
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    polygons: list[Any] = {"Polygon": [coordinates], "MultiPolygon": coordinates}.get(str(kind)) or []
    return [[pixels(points_of([p[:2] for p in ring])) for ring in polygon] for polygon in polygons if polygon]


def _touches(outline: Points, height: int, width: int) -> bool:
    low, high = outline.min(0), outline.max(0)
    return bool((high >= 0).all() and low[0] <= width and low[1] <= height)


def _shapes(features: list[tuple[str, list[list[Points]]]], _height: int, _width: int) -> Iterator[Shape]:
    for name, polygons in features:
        yield Shape(name, partial(_paint, polygons))


def _paint(polygons: list[list[Points]], canvas: Canvas, label: int) -> None:
    """The pixels whose middles lie inside; of what lies between middles, those that it touches."""
    from rasterio.features import rasterize
    from rasterio.transform import Affine

    for rings in polygons:
        left, top = np.maximum(np.floor(rings[0].min(0)), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(rings[0].max(0)), canvas.image.size).astype(int).tolist()
        if left >= right or top >= bottom:
            continue
        shape = {"type": "Polygon", "coordinates": [ring.tolist() for ring in rings]}
        frame = {"out_shape": (bottom - top, right - left), "transform": Affine.translation(left, top)}
        with silenced:
            inside = rasterize([shape], **frame, dtype="uint8")
            if not inside.any():
                inside = rasterize([shape], **frame, dtype="uint8", all_touched=True)
        canvas.stamp(inside > 0, left, top, label)
