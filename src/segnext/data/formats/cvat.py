"""CVAT's XML ("CVAT for images 1.1"): polygons, boxes, ellipses and masks, painted in the order of their z."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from segnext.data.formats.canvas import Canvas, oval, points_of, runs_to_mask, turned
from segnext.data.formats.options import Options
from segnext.data.formats.pictures import Pictures, annotations_of
from segnext.data.formats.shapes import Drawing, Found, Shape, shapes_source
from segnext.data.formats.source import Problem, Source
from segnext.data.formats.splits import split_name
from segnext.documents import read_text
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet

LARGEST = 2_000_000_000  # bytes of a file
KINDS = ("polygon", "box", "ellipse", "mask")


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """The pictures of all annotations*.xml; classes are their labels, sorted by name, after the background."""
    documents, pictures = annotations_of(options, ".xml")
    found = Found(remarks=["where shapes overlap, those of higher z lie on top, of equal z later ones in the file"])
    for done, file in enumerate(documents, 1):
        with found.reading(file):
            _read(file, pictures, found)
        watch("XML files", done, len(documents))
    return shapes_source(found, options, pictures.all)


def _read(file: Path, pictures: Pictures, found: Found) -> None:
    text = read_text(file, LARGEST, "XML")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SegNextError(f"{file}: declares entities, which CVAT's XML does not; give the file as CVAT exports it")
    try:
        images = list(fromstring(text).iter("image"))
    except (ParseError, ValueError) as error:
        raise SegNextError(f"{file}: cannot be read as XML ({error}); export it again") from error
    if not images:
        raise SegNextError(f"{file}: holds no <image>; export the task as 'CVAT for images 1.1'")
    for image in images:
        item = pictures.item(image.get("name", ""), file, split_name(image.get("subset", "").lower()))
        if isinstance(item, Problem):
            found.problems.append(item)
            continue
        size = (_whole(image.get("height")), _whole(image.get("width")))
        found.drawings.append(Drawing(item, partial(_shapes, image), size))
        found.names.update(shape.get("label", "") for shape in image if shape.tag in KINDS)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 0


def _shapes(image: Element, _height: int, _width: int) -> Iterator[Shape]:
    def order(shape: Element) -> int:
        text = shape.get("z_order", "0")
        return int(text) if text.lstrip("-").isdecimal() and len(text) < 9 else 0

    for shape in sorted((shape for shape in image if shape.get("label") is not None), key=order):
        name = shape.get("label", "")
        if shape.tag in KINDS:
            yield Shape(name, partial(_paint, shape))
        elif shape.tag != "tag":
            yield Shape(name, note=f"shapes of kind '{shape.tag[:40]}' without an area left out")


def _paint(shape: Element, canvas: Canvas, label: int) -> None:
    def number(key: str, default: str = "") -> float:
        return float(shape.get(key, default))

    if shape.tag == "polygon":
        canvas.polygon(points_of([pair.split(",") for pair in shape.get("points", "").split(";")]), label)
    elif shape.tag == "box":
        corners = points_of([[number("xtl"), number("ytl")], [number("xbr"), number("ybr")]])
        canvas.polygon(turned(corners, number("rotation", "0")), label)
    elif shape.tag == "ellipse":
        outline = oval((number("cx"), number("cy")), (number("rx"), number("ry")))
        canvas.polygon(turned(outline, number("rotation", "0")), label)
    else:
        width, height = int(number("width")), int(number("height"))
        if not (0 < width <= canvas.image.width and 0 < height <= canvas.image.height):
            raise ValueError("its mask is larger than the picture")
        runs = [int(run) for run in shape.get("rle", "").split(",")]
        canvas.stamp(runs_to_mask(runs, height, width, by_rows=True), number("left"), number("top"), label)
