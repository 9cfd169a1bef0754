"""labelme JSON files: polygons, rectangles, circles and masks, painted in the order of the file."""

import base64
import binascii
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.rotation import picture_shape
from segnext.data.formats.shapes import Classes, renaming, shape_classes
from segnext.data.formats.source import Item, Problem, Reading, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.masks import PairError
from segnext.errors import SegNextError
from segnext.imageio import SUFFIXES
from segnext.progress import Watch, quiet

IGNORED, BACKGROUND = "__ignore__", "_background_"  # labels that have a meaning in labelme

Json = dict[str, Any]
Draw = ImageDraw.ImageDraw


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """A pair for each labelme file; classes are its labels, sorted by name, after the background."""
    files = list(files_of(options.source))
    documents = [file for file in files if file.suffix.lower() == ".json"]
    items: list[Item] = []
    problems: list[Problem] = []
    names: Counter[str] = Counter()
    rename = renaming(options)
    for done, file in enumerate(documents, 1):
        found = _open(file, options.source)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            items.append(found[0])
            names.update(map(rename, found[1]))
        watch("JSON files", done, len(documents))
    if not items:
        raise SegNextError(f"{options.source}: there is no labelme JSON file with a picture in it; give their folder")
    classes = shape_classes({name: names[name] for name in sorted(names.keys() - {IGNORED, BACKGROUND})}, options)
    classes.label_of.update({IGNORED: classes.labels.ignore, BACKGROUND: classes.background})
    used = {item.image.resolve() for item in items}
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES and file.resolve() not in used]
    problems += [Problem(file, "no mask", "no labelme file names it") for file in pictures]
    items, more, remarks = assign_splits(items, options)
    remarks += [*classes.remarks, "overlapping shapes: later ones in the file lie on top"]

    def read(item: Item) -> Reading:
        return _paint(item, classes, rename)

    return Source(classes.labels, tuple(items), (*problems, *more), read, tuple(remarks))


def _load(file: Path) -> Json | None:
    """The content of a labelme file; None for other JSON."""
    content = json.loads(file.read_text(encoding="utf-8-sig"))
    return content if isinstance(content, dict) and isinstance(content.get("shapes"), list) else None


def _open(file: Path, source: Path) -> tuple[Item, list[str]] | Problem:
    try:
        content = _load(file)
    except (OSError, ValueError) as error:
        return Problem(file, "unreadable mask", f"cannot be read as JSON ({error})")
    if content is None:
        return Problem(file, "other files", "not a labelme file: it has no list of shapes", expected=True)
    if not all(isinstance(shape, dict) for shape in content["shapes"]):
        return Problem(file, "unreadable mask", "its list of shapes holds something else")
    named = str(content.get("imagePath") or "").replace("\\", "/")
    beside = [file.with_suffix(suffix) for suffix in sorted(SUFFIXES)]
    image = next((path for path in [file.parent / named, *beside] if path.is_file()), None)
    labels = [str(shape.get("label")) for shape in content["shapes"]]
    name = file.relative_to(source).with_suffix("").as_posix()
    if image is not None:
        return Item(name, image, file), labels
    if content.get("imageData"):
        return Item(name, file.with_suffix(Path(named).suffix or ".png"), file, embedded=_embedded(file)), labels
    return Problem(file, "no picture", f"its picture '{named}' is not there, and the file does not hold it")


def _embedded(file: Path) -> Callable[[], bytes]:
    """The picture inside a labelme file, decoded when it is asked for."""

    def read() -> bytes:
        try:
            return base64.b64decode((_load(file) or {})["imageData"])
        except (KeyError, TypeError, binascii.Error) as error:
            raise PairError("unreadable picture", f"{file}: the picture in it cannot be decoded ({error})") from error

    return read


def _paint(item: Item, classes: Classes, rename: Callable[[object], str]) -> Reading:
    content = _load(item.mask) or {}
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if not height or not width:
        shape = picture_shape(item.embedded() if item.embedded else item.image)
        height, width = shape.height, shape.width
    canvas = Image.new("L", (int(width), int(height)), classes.background)
    draw = ImageDraw.Draw(canvas)
    notes: dict[str, int] = {}
    for number, shape in enumerate(content["shapes"]):
        name = rename(shape.get("label"))
        try:
            note = _draw(canvas, draw, shape, classes.label_of[name])
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise PairError("bad shape", f"{item.mask}: shape {number} cannot be drawn ({error})") from error
        if not note and name != IGNORED and classes.label_of[name] == classes.labels.ignore:
            note = f"shapes of '{name}', which no class claims, ignored"
        if note:
            notes[note] = 1 + notes.get(note, 0)
    return Reading(np.array(canvas), notes)


def _draw(canvas: Image.Image, draw: Draw, shape: Json, label: int) -> str:
    """Paint a shape as labelme's own converter does, outline included; what was left out, or ""."""
    kind = shape.get("shape_type") or "polygon"
    points = [(float(x), float(y)) for x, y in shape["points"]]
    if kind == "polygon" and len(points) >= 3:
        draw.polygon(points, fill=label, outline=label)
    elif kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        draw.rectangle((min(left, right), min(top, bottom), max(left, right), max(top, bottom)), label, label)
    elif kind == "circle" and len(points) == 2:
        (x, y), (edge_x, edge_y) = points
        radius = float(np.hypot(edge_x - x, edge_y - y))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), label, label)
    elif kind == "mask":
        stamp = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"]))).convert("L")) > 0
        canvas.paste(label, (round(points[0][0]), round(points[0][1])), Image.fromarray(stamp))
    else:
        return f"shapes of kind '{kind}' without an area left out"
    return ""
