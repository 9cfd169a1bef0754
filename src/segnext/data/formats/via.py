"""VGG Image Annotator's JSON, of projects or annotations: polygons, rectangles, circles and ellipses.

The class is the attribute that most regions have, words before numbers; regions without it are ignored.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segnext.data.formats.canvas import Canvas, oval, points_of, turned
from segnext.data.formats.options import Options
from segnext.data.formats.pictures import Pictures, annotations_of
from segnext.data.formats.shapes import IGNORED, Drawing, Found, Json, Shape, shapes_source
from segnext.data.formats.source import Problem, Source
from segnext.documents import read_json, shown
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet
from segnext.words import share

ONLY = "object"  # the class of regions that have no attributes at all
KINDS = ("polygon", "rect", "circle", "ellipse")


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """The pictures of all files; classes are the values of an attribute, sorted by name, after the background."""
    documents, pictures = annotations_of(options, ".json")
    found = Found(remarks=["where regions overlap, later ones in the file lie on top"])
    entries: list[tuple[Path, Json]] = []
    for done, file in enumerate(documents, 1):
        with found.reading(file):
            entries += [(file, entry) for entry in entries_of(read_json(file), file)]
        watch("JSON files", done, len(documents))
    regions = [region for _, entry in entries for region in regions_of(entry)]
    attribute, without = main_attribute([region.get("region_attributes") for region in regions])
    if attribute is not None and without:
        part = share(without, len(regions))
        found.remarks.append(f"regions without '{attribute}', which are ignored: {without} of {len(regions)} ({part})")
    for file, entry in entries:
        _add(found, file, entry, pictures, attribute)
    return shapes_source(found, options, pictures.all, "regions of")


def entries_of(content: Any, file: Path) -> list[Json]:
    """The pictures of a project, or of a file of annotations alone.

    Raises:
        SegNextError: when it is neither.
    """
    if isinstance(content, dict):
        content = content.get("_via_img_metadata", content)
    entries = list(content.values()) if isinstance(content, dict) else []
    if not entries or not all(isinstance(e, dict) and "filename" in e and "regions" in e for e in entries):
        raise SegNextError(f"{file}: not annotations of VIA, which name the file and the regions of each picture")
    return entries


def regions_of(entry: Json) -> list[Json]:
    """The regions of a picture; the first version of VIA numbered them in a dictionary."""
    regions = entry["regions"]
    regions = list(regions.values()) if isinstance(regions, dict) else regions
    return [region for region in regions if isinstance(region, dict)] if isinstance(regions, list) else []


def main_attribute(given: Iterable[Any]) -> tuple[str | None, int]:
    """The attribute that says the class, None when there is none; and how many lack it.

    One with words for at least half comes before numbers, which may be rows' or the classes' own; of these `class`
    before others, then the one that most have a value of.
    """
    counts: Counter[str] = Counter()
    words: Counter[str] = Counter()
    total = 0
    for attributes in given:
        total += 1
        if isinstance(attributes, dict):
            values = {key: value_of(attributes, key) for key in attributes}
            counts.update(key for key, value in values.items() if value)
            words.update(key for key, value in values.items() if value and not value.lstrip("-").isdecimal())
    if not counts:
        return None, total
    attribute = max(counts, key=lambda key: (2 * words[key] >= total, str(key).lower() == "class", counts[key]))
    return attribute, total - counts[attribute]


def value_of(attributes: Any, key: str | None) -> str:
    """The class that an attribute says: a text, or of several options the one that is ticked; "" for none."""
    value = attributes.get(key) if isinstance(attributes, Mapping) else None
    if isinstance(value, dict):
        value = next((option for option, ticked in value.items() if ticked), "")
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _add(found: Found, file: Path, entry: Json, pictures: Pictures, attribute: str | None) -> None:
    item = pictures.item(entry["filename"], file)
    if isinstance(item, Problem):
        found.problems.append(item)
        return
    regions = regions_of(entry)
    found.drawings.append(Drawing(item, partial(_shapes, regions, attribute)))
    found.names.update(_class(region, attribute) for region in regions)


def _class(region: Json, attribute: str | None) -> str:
    return ONLY if attribute is None else value_of(region.get("region_attributes"), attribute) or IGNORED


def _shapes(regions: list[Json], attribute: str | None, _height: int, _width: int) -> Iterator[Shape]:
    for region in regions:
        shape = region.get("shape_attributes")
        kind = shape.get("name") if isinstance(shape, dict) else None
        if isinstance(shape, dict) and kind in KINDS:
            yield Shape(_class(region, attribute), partial(_paint, shape))
        else:
            yield Shape(IGNORED, note=f"regions of kind {shown(kind)} without an area left out")


def _paint(shape: Json, canvas: Canvas, label: int) -> None:
    kind = shape["name"]
    if kind == "polygon":
        xs, ys = shape["all_points_x"], shape["all_points_y"]
        canvas.polygon(points_of(list(zip(xs, ys, strict=True))), label)
    elif kind == "rect":
        corner = points_of([shape["x"], shape["y"]])
        canvas.rectangle(np.concatenate([corner, corner + points_of([shape["width"], shape["height"]])]), label)
    elif kind == "circle":
        canvas.ellipse((shape["cx"], shape["cy"]), (shape["r"], shape["r"]), label)
    else:
        outline = oval([shape["cx"], shape["cy"]], [shape["rx"], shape["ry"]])
        canvas.polygon(turned(outline, float(np.degrees(float(shape.get("theta") or 0)))), label)
