"""COCO annotations (Lin et al., 2014): polygons and RLE, compressed or not, of every instance.

Crowd regions are painted first, then the other annotations from the largest to the smallest, so that small things
lie on top; of two equally large ones the later in the file does.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.data.formats.canvas import Canvas, Points, cut, far_of, points_of, runs_to_mask
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.pictures import Pictures
from segnext.data.formats.shapes import IGNORED, WRONG, Drawing, Found, Json, Shape, shapes_source
from segnext.data.formats.source import Item, Problem, Source
from segnext.data.masks import PairError
from segnext.documents import read_json, shown
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet
from segnext.silence import silenced
from segnext.words import counted, listed

LISTS = ("images", "annotations", "categories")
_OTHER = re.compile(r"captions|person_keypoints|panoptic|image_info|classes\.json$")
_NEEDED = {"images": ("id",), "annotations": ("image_id",), "categories": ("id", "name")}
_EMPTY = "annotations without a segmentation left out"
_LIE = "where annotations overlap, crowd regions lie lowest, then from large to small, the small on top"

Key = int | str  # of a picture or category


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pictures and their annotations, from one JSON file or from all of a folder; categories sorted by id."""
    tools = _tools()
    files = _annotation_files(options.source)
    folder = options.source if options.source.is_dir() else options.source.parent
    pictures = Pictures(folder / options.images if options.images else folder)
    categories: dict[Key, str] = {}
    amounts: Counter[Key | None] = Counter()
    found = Found(ordered=True, remarks=[_LIE])
    for done, file in enumerate(files, 1):
        content = _load(file, found.problems)
        _add_categories(categories, content, file)
        _add_drawings(found, content, file, pictures, partial(_shapes, file, categories, options, tools))
        amounts.update(_key(annotation.get("category_id")) for annotation in content["annotations"])
        watch("annotations", done, len(files))
    for key in sorted(categories, key=lambda key: (isinstance(key, str), key)):
        found.names[categories[key]] += amounts[key]
    if not found.drawings:
        sought = next((f": {p.reason}" for p in found.problems if p.kind in ("no picture", "ambiguous name")), "")
        raise SegNextError(
            f"{folder}: holds none of the pictures that {listed(files)} lists{sought}; found there: "
            f"{pictures.example()}; name --images FOLDER"
        )
    return shapes_source(found, options, pictures.all, "annotations of category")


def _tools() -> Any:
    try:
        return import_module("pycocotools.mask")
    except ImportError as error:
        raise SegNextError(
            "--from coco needs the package pycocotools, which is not installed; run: pip install 'segnext[coco]'"
        ) from error


def _annotation_files(source: Path) -> list[Path]:
    """The JSON file given, or those of a folder that hold instances."""
    if source.is_file():
        return [source]
    found = [file for file in files_of(source) if file.suffix.lower() == ".json"]
    named = [file for file in found if file.name.startswith("instances")]
    files = named or [file for file in found if not _OTHER.match(file.name)]
    if not files:
        raise SegNextError(f"{source}: there is no COCO JSON file in it; give the file or the folder that holds it")
    return files


def _load(file: Path, problems: list[Problem]) -> dict[str, list[Json]]:
    """The three lists of a file, without entries that lack what links them, which become problems."""
    content = read_json(file)
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in LISTS):
        raise SegNextError(
            f"{file}: not COCO annotations, which hold the lists {', '.join(LISTS)}; give the right file"
        )
    kept: dict[str, list[Json]] = {}
    for key, fields in _NEEDED.items():
        kept[key] = [entry for entry in content[key] if _is_linked(entry, fields)]
        if wrong := [entry for entry in content[key] if not _is_linked(entry, fields)]:
            reason = f"an entry of '{key}' lacks {' or '.join(fields)}: {shown(wrong[0])}; mend or remove it"
            if not kept[key]:
                raise SegNextError(f"{file}: {reason}")
            problems.append(
                Problem(file, "bad entries", f"{counted(len(wrong), 'such entry', 'such entries')}: {reason}")
            )
    if any("segments_info" in annotation for annotation in kept["annotations"][:1]):
        raise SegNextError(f"{file}: COCO panoptic annotations are not instances; give an instances_*.json file")
    return kept


def _is_linked(entry: Any, fields: tuple[str, ...]) -> bool:
    return isinstance(entry, dict) and all(
        _key(entry.get(field)) is not None if field.endswith("id") else isinstance(entry.get(field), str)
        for field in fields
    )


def _key(value: Any) -> Key | None:
    """An id as it is compared: whole numbers and texts, "7" and 7.0 the same as 7; None for others."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) < 20 else value
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and not isinstance(value, bool) else None


def _add_categories(categories: dict[Key, str], content: dict[str, list[Json]], file: Path) -> None:
    for category in content["categories"]:
        key, name = _key(category["id"]), category["name"]
        assert key is not None
        if categories.setdefault(key, name) != name:
            raise SegNextError(
                f"{file}: category {key} is '{name[:80]}', in another file '{categories[key][:80]}'; import them one "
                "by one"
            )


def _add_drawings(found: Found, content: dict[str, list[Json]], file: Path, pictures: Pictures, shapes: Any) -> None:
    of_picture: dict[Key | None, list[Json]] = defaultdict(list)
    for annotation in content["annotations"]:
        of_picture[_key(annotation["image_id"])].append(annotation)
    known = {drawing.item.image for drawing in found.drawings}
    for entry in content["images"]:
        annotations = of_picture.pop(_key(entry["id"]), [])
        item = pictures.item(entry.get("file_name", ""), file)
        if isinstance(item, Item) and item.image in known:
            item = Problem(item.image, "annotated twice", f"{file}: lists it once more")
        if isinstance(item, Problem):
            found.problems.append(item)
        else:
            known.add(item.image)
            size = (entry.get("height"), entry.get("width"))
            found.drawings.append(Drawing(item, partial(shapes, annotations), size))
    if lost := [annotation for annotations in of_picture.values() for annotation in annotations]:
        example = f"annotation {shown(lost[0].get('id'))} is of picture {shown(lost[0]['image_id'])}"
        are = "is" if len(lost) == 1 else "are"
        reason = (
            f"{counted(len(lost), 'annotation')} {are} of pictures that its list 'images' does not have: {example}; "
            "add these to it"
        )
        found.problems.append(Problem(file, "annotations without a picture", reason))


def _shapes(
    file: Path,
    categories: dict[Key, str],
    options: Options,
    tools: Any,
    annotations: list[Json],
    height: int,
    width: int,
) -> Iterator[Shape]:
    """The annotations of a picture in the order in which they are painted."""
    ordered: list[tuple[bool, int, int, str, Callable[[], NDArray[np.bool_]]]] = []
    for annotation in annotations:
        category = annotation.get("category_id")
        name = categories.get(_key(category) or 0)
        if name is None:
            if options.others != "ignore":
                raise PairError(
                    "foreign category",
                    f"{file}: annotation {shown(annotation.get('id'))} has category {shown(category)}, which its list "
                    "'categories' does not have; add it there, or say --others ignore to ignore such regions",
                )
            name = IGNORED
            yield Shape(name, note=f"annotations of category {shown(category)}, which no class claims, ignored")
        try:
            region = _region(annotation.get("segmentation"), height, width, tools)
        except (*WRONG, OverflowError) as error:
            raise PairError(
                "bad segmentation", f"{file}: annotation {shown(annotation.get('id'))} cannot be read ({error})"
            ) from error
        if region is None:
            yield Shape(name, note=_EMPTY)
        else:
            ordered.append((not annotation.get("iscrowd"), -region[0], len(ordered), name, region[1]))
    for *_, name, decode in sorted(ordered, key=lambda entry: entry[:3]):
        yield Shape(name, partial(_stamp, decode))


def _stamp(decode: Callable[[], NDArray[np.bool_]], canvas: Canvas, label: int) -> None:
    canvas.stamp(decode(), 0, 0, label)


def _decoded(tools: Any, packed: Any) -> NDArray[np.bool_]:
    with silenced:  # pycocotools uses what numpy has deprecated
        return np.asarray(tools.decode(packed), np.bool_)


def _region(shape: Any, height: int, width: int, tools: Any) -> tuple[int, Callable[[], NDArray[np.bool_]]] | None:
    """The area of a segmentation, and what decodes it; None when it has none."""
    if not shape:
        return None
    if isinstance(shape, list):
        far = far_of(height, width)
        polygons = [cut(points, far).ravel().tolist() for points in _polygons(shape)]
        if not (polygons := [polygon for polygon in polygons if len(polygon) >= 6]):
            return None
        packed = tools.merge(tools.frPyObjects(polygons, height, width))
        return int(tools.area(packed)), partial(_decoded, tools, packed)
    if [int(side) for side in shape["size"]] != [height, width]:
        raise ValueError(f"its RLE is for {shown(shape['size'])}")
    counts = shape["counts"]
    runs = counts if isinstance(counts, list) else runs_of(str(counts), height * width)
    runs_to_mask(runs, height, width)
    return sum(runs[1::2]), partial(runs_to_mask, runs, height, width)


def _polygons(shape: list[Any]) -> list[Points]:
    """Polygons as [x, y, x, y, ...] or [[x, y], ...], one or several."""
    flat = all(isinstance(value, int | float) for value in shape)
    if flat or all(isinstance(value, list) and len(value) == 2 for value in shape):
        shape = [shape]
    return [points_of(points) for points in shape if len(points) > 2]


def runs_of(counts: str, pixels: int) -> list[int]:
    """The runs of compressed RLE: 5 bits in each character, the low ones first, 32 says that more follow.

    From the fourth on, the difference to the run before the last is kept. They are added up here, because what a
    damaged one does not cover is not told by pycocotools.

    Raises:
        ValueError: when there are more than a picture of so many pixels can have.
    """
    runs: list[int] = []
    place = 0
    while place < len(counts):
        value, shift, more = 0, 0, True
        while more:
            code = ord(counts[place]) - 48
            value |= (code & 31) << shift
            more, shift, place = bool(code & 32), shift + 5, place + 1
            if not 0 <= code < 64 or shift > 40:
                raise ValueError("its RLE is damaged")
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        if len(runs) > pixels + 1:
            raise ValueError("its RLE holds runs that cannot be")
    return runs
