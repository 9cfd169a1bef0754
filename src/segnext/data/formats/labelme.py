"""labelme JSON files: polygons, rectangles, circles and masks, painted in the order of the file."""

import base64
import binascii
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segnext.data.formats.canvas import Canvas, points_of
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.pictures import Pictures
from segnext.data.formats.shapes import BACKGROUND, Drawing, Found, Json, Shape, shapes_source
from segnext.data.formats.source import Item, Problem, Source
from segnext.data.masks import PairError
from segnext.documents import read_json, shown
from segnext.errors import SegNextError
from segnext.pillow import SUFFIXES, open_picture
from segnext.progress import Watch, quiet

NO_CLASS = "_background_"  # a label that has a meaning in labelme, as IGNORED has


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """A pair for each labelme file; classes are its labels, sorted by name, after the background."""
    documents = [file for file in files_of(options.source) if file.suffix.lower() == ".json"]
    pictures = Pictures(options.source)
    found = Found(remarks=["where shapes overlap, later ones in the file lie on top"])
    for done, file in enumerate(documents, 1):
        drawing = _open(file, options.source, pictures)
        if isinstance(drawing, Problem):
            found.problems.append(drawing)
        else:
            found.drawings.append(drawing[0])
            found.names.update(name for name in drawing[1] if name.strip() != NO_CLASS)
        watch("JSON files", done, len(documents))
    return shapes_source(found, options, pictures.all)


def _open(file: Path, source: Path, pictures: Pictures) -> tuple[Drawing, list[str]] | Problem:
    try:
        content = read_json(file)
    except SegNextError as error:
        return Problem(file, "unreadable mask", str(error).removeprefix(f"{file}: "))
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list):
        return Problem(file, "other files", "not a labelme file: it has no list of shapes", expected=True)
    if not all(isinstance(shape, dict) and isinstance(shape.get("label"), str) for shape in shapes):
        return Problem(file, "unreadable mask", "its list of shapes holds something else")
    named = content.get("imagePath") or ""
    name = file.relative_to(source).with_suffix("").as_posix()
    beside = [path for end in sorted(SUFFIXES) if (path := file.with_suffix(end)).is_file()]
    images = pictures.find(named, file) or beside[:1]
    size = (content.get("imageHeight"), content.get("imageWidth"))
    if len(images) == 1:
        item = Item(name, images[0], file)
    elif content.get("imageData"):
        suffix = Path(str(named)[-20:]).suffix.lower()
        picture = file.with_suffix(suffix if suffix in SUFFIXES else ".png")
        item = Item(name, picture, file, embedded=partial(_embedded, file))
    else:
        what = "there are several of this name" if images else "is not there, and the file does not hold it"
        return Problem(file, "no picture", f"its picture {shown(named)} {what}")
    return Drawing(item, lambda height, width: _shapes(file), size), [shape["label"] for shape in shapes]


def _embedded(file: Path) -> bytes:
    """The picture inside a labelme file."""
    try:
        return base64.b64decode(read_json(file)["imageData"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise PairError("unreadable picture", f"{file}: the picture in it cannot be decoded ({error})") from error


def _shapes(file: Path) -> Iterator[Shape]:
    for shape in read_json(file)["shapes"]:
        kind, name = shape.get("shape_type") or "polygon", shape["label"]
        paint, least, most = _PAINTERS.get(kind if isinstance(kind, str) else "", (None, 0, 0))
        count = len(shape["points"]) if isinstance(shape.get("points"), list) else least
        if paint is None or not least <= count <= most:
            yield Shape(name, note=f"shapes of kind {shown(kind)} without an area left out")
        else:
            yield Shape(BACKGROUND if name.strip() == NO_CLASS else name, partial(paint, shape))


def _polygon(shape: Json, canvas: Canvas, label: int) -> None:
    canvas.polygon(points_of(shape["points"]), label)


def _rectangle(shape: Json, canvas: Canvas, label: int) -> None:
    canvas.rectangle(points_of(shape["points"])[:2], label)


def _circle(shape: Json, canvas: Canvas, label: int) -> None:
    center, edge = points_of(shape["points"])[:2]
    radius = float(np.hypot(*(edge - center)))
    canvas.ellipse(center.tolist(), (radius, radius), label)


def _mask(shape: Json, canvas: Canvas, label: int) -> None:
    left, top = points_of(shape["points"])[0]
    canvas.stamp(stamp_of(base64.b64decode(shape["mask"]), canvas), left, top, label)


def stamp_of(content: bytes, canvas: Canvas) -> Any:
    """Where a picture in memory, which is no larger than the canvas, is not black."""
    with open_picture(content, "its mask") as picture:
        if picture.width > canvas.image.width or picture.height > canvas.image.height:
            raise ValueError(f"its mask of {picture.width} x {picture.height} is larger than the picture")
        alpha = "A" in picture.getbands()
        return np.asarray(picture.getchannel("A") if alpha else picture.convert("L")) > 0


# Of each kind its painter, and the least and the largest number of its points.
_PAINTERS: dict[str, tuple[Callable[[Json, Canvas, int], None], float, float]] = {
    "polygon": (_polygon, 3, np.inf),
    "rectangle": (_rectangle, 2, 2),
    "circle": (_circle, 2, 2),
    "mask": (_mask, 0, np.inf),
}
