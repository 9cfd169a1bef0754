"""Supervisely's projects: DATASET/img/NAME and DATASET/ann/NAME.json with polygons, bitmaps and rectangles."""

import base64
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from segnext.data.formats.canvas import Canvas, points_of
from segnext.data.formats.labelme import stamp_of
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.shapes import Drawing, Found, Json, Shape, shapes_source
from segnext.data.formats.source import Item, Problem, Source
from segnext.documents import read_json, shown
from segnext.errors import SegNextError
from segnext.pillow import SUFFIXES
from segnext.progress import Watch, quiet

FOLDERS = ("ann", "img")


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """A pair for each picture with annotations; classes are those in use, sorted by name, after the background."""
    files = files_of(options.source)
    documents = [file for file in files if file.parent.name == "ann" and file.suffix == ".json"]
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    found = Found(remarks=["where shapes overlap, later ones in the file lie on top"])
    for done, file in enumerate(documents, 1):
        watch("JSON files", done, len(documents))
        image = file.parent.parent / "img" / file.stem
        try:
            content = read_json(file)
            objects = content.get("objects") if isinstance(content, dict) else None
            if not isinstance(objects, list) or not all(isinstance(o, dict) for o in objects):
                raise SegNextError(f"{file}: has no list of objects; give Supervisely's annotations")
        except SegNextError as error:
            found.problems.append(Problem(file, "unreadable mask", str(error).removeprefix(f"{file}: ")))
            continue
        if not image.is_file():
            found.problems.append(Problem(file, "no picture", f"there is no picture img/{image.name[-200:]}"))
            continue
        path = image.relative_to(options.source)
        name = PurePosixPath(*(part for part in path.parent.parts if part not in FOLDERS), image.stem).as_posix()
        size = content.get("size") if isinstance(content.get("size"), dict) else {}
        found.drawings.append(
            Drawing(Item(name, image, file), partial(_shapes, file), (size.get("height"), size.get("width")))
        )
        found.names.update(str(entry.get("classTitle")) for entry in objects)
    return shapes_source(found, options, pictures)


def _shapes(file: Path, height: int, width: int) -> Iterator[Shape]:
    for entry in read_json(file)["objects"]:
        kind, name = entry.get("geometryType"), str(entry.get("classTitle"))
        if kind in ("polygon", "rectangle", "bitmap"):
            yield Shape(name, partial(_paint, kind, entry, 4 * height * width + 100_000))
        else:
            yield Shape(name, note=f"shapes of kind {shown(kind)} without an area left out")


def _paint(kind: str, entry: Json, most: int, canvas: Canvas, label: int) -> None:
    if kind == "bitmap":
        left, top = points_of(entry["bitmap"]["origin"])[0]
        packed = base64.b64decode(entry["bitmap"]["data"])
        canvas.stamp(stamp_of(zlib.decompressobj().decompress(packed, most), canvas), left, top, label)
        return
    outline = points_of(entry["points"]["exterior"])
    if kind == "rectangle":
        canvas.rectangle(outline[:2], label)
    else:
        canvas.polygon(outline, label, [points_of(hole) for hole in entry["points"].get("interior") or []])
