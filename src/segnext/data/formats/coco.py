"""COCO annotations (Lin et al., 2014): polygons and RLE, compressed or not, of every instance.

Crowd regions are painted first, then the other annotations from the largest to the smallest, so that small things
lie on top; of two equally large ones the later in the file does.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.shapes import renaming, shape_classes
from segnext.data.formats.source import Item, Problem, Reading, Source
from segnext.data.formats.splits import assign_splits, split_name
from segnext.data.masks import PairError
from segnext.errors import SegNextError
from segnext.imageio import SUFFIXES
from segnext.progress import Watch, quiet
from segnext.words import listed

Json = dict[str, Any]
_OTHER = re.compile("captions|person_keypoints|panoptic|image_info")
_NEEDED = {"images": ("id",), "annotations": ("image_id",), "categories": ("id", "name")}
_EMPTY = "annotations without a segmentation left out"


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pictures and their annotations, from one JSON file or from all of a folder; categories sorted by id."""
    tools = _tools()
    files = _annotation_files(options.source)
    folder = options.source if options.source.is_dir() else options.source.parent
    pictures = _Pictures(folder, options)
    categories: dict[int, str] = {}
    entries: dict[Path, tuple[Json, list[Json]]] = {}  # of a picture: its entry and its annotations
    items: list[Item] = []
    problems: list[Problem] = []
    for done, file in enumerate(files, 1):
        content = _load(file)
        _add_categories(categories, content, file)
        annotations = _by_image(content)
        if lost := _lost(content, file):
            problems.append(lost)
        for entry in content["images"]:
            found = _item(entry, file, pictures)
            if isinstance(found, Item) and found.image in entries:
                found = Problem(found.image, "annotated twice", f"{file}: lists it once more")
            if isinstance(found, Problem):
                problems.append(found)
            else:
                items.append(found)
                entries[found.image] = entry, annotations.get(entry["id"], [])
        watch("annotations", done, len(files))
    if not items:
        raise SegNextError(f"{folder}: holds none of the pictures that {listed(files)} lists; name --images FOLDER")
    rename = renaming(options)
    amounts = Counter(str(annotation.get("category_id")) for _, found in entries.values() for annotation in found)
    names: Counter[str] = Counter()
    for number in sorted(categories):
        names[rename(categories[number])] += amounts[str(number)]
    classes = shape_classes(names, options)
    label_of_id = {number: classes.label_of[rename(name)] for number, name in categories.items()}
    unlisted = classes.labels.ignore if options.others == "ignore" else None
    problems += [Problem(file, "no mask", "no JSON file lists it") for file in pictures.all if file not in entries]
    items, more, remarks = assign_splits(sorted(items, key=lambda item: item.name), options)
    lie = "overlapping annotations: crowd regions lie lowest, then from large to small, the small on top"
    remarks += [*classes.remarks, lie]

    def read(item: Item) -> Reading:
        entry, annotations = entries[item.image]
        labelled = [(annotation, _label(annotation, label_of_id, unlisted, item)) for annotation in annotations]
        reading = _paint(entry, labelled, classes.background, tools, item)
        ignored = [annotation for annotation, label in labelled if label == classes.labels.ignore]
        notes = Counter(_ignored(annotation, categories) for annotation in ignored)
        return replace(reading, notes={**reading.notes, **notes})

    return Source(classes.labels, tuple(items), (*problems, *more), read, tuple(remarks))


def _by_image(content: Json) -> dict[Any, list[Json]]:
    annotations: dict[Any, list[Json]] = defaultdict(list)
    for annotation in content["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    return annotations


def _lost(content: Json, file: Path) -> Problem | None:
    """Annotations of pictures that the file does not list."""
    known = {entry["id"] for entry in content["images"]}
    lost = [annotation for annotation in content["annotations"] if annotation["image_id"] not in known]
    if not lost:
        return None
    number = "1 annotation is" if len(lost) == 1 else f"{len(lost)} annotations are"
    example = f"annotation {lost[0].get('id')} is of picture {lost[0]['image_id']!r}"
    reason = f"{number} of pictures that its list 'images' does not have: {example}; add these to it"
    return Problem(file, "annotations without a picture", reason)


def _label(annotation: Json, label_of: dict[int, int], unlisted: int | None, item: Item) -> int:
    """The label of an annotation's category; `unlisted` for categories that the file does not list.

    Raises:
        PairError: when it is of such a category and `unlisted` is None.
    """
    number = annotation.get("category_id")
    label = unlisted if number is None else label_of.get(int(number), unlisted)
    if label is None:
        raise PairError(
            "foreign category",
            f"{item.mask}: annotation {annotation.get('id')} has category {number}, which its list 'categories' does "
            "not have; add it there, or say --others ignore to ignore such regions",
        )
    return label


def _ignored(annotation: Json, categories: dict[int, str]) -> str:
    """The note on an annotation that no class claims."""
    number = annotation.get("category_id")
    name = None if number is None else categories.get(int(number))
    return f"annotations of category {number if name is None else repr(name)}, which no class claims, ignored"


def _tools() -> Any:
    try:
        return import_module("pycocotools.mask")
    except ImportError as error:
        raise SegNextError(
            "--from coco needs the package pycocotools, which is not installed; run: pip install 'segnext[coco]'"
        ) from error


class _Pictures:
    """The pictures below a folder, to be found by the end of their path."""

    def __init__(self, folder: Path, options: Options) -> None:
        base = folder / options.images if options.images else folder
        self.all = [file for file in files_of(base) if file.suffix.lower() in SUFFIXES]
        self.by_name: dict[str, list[Path]] = defaultdict(list)
        for file in self.all:
            self.by_name[file.name].append(file)

    def find(self, name: PurePosixPath, file: Path) -> list[Path]:
        """Pictures called so; of several, those beside the JSON file or in a folder of its split."""
        found = [path for path in self.by_name.get(name.name, []) if path.parts[-len(name.parts) :] == name.parts]
        if len(found) > 1:
            beside = [path for path in found if path.is_relative_to(file.parent)]
            split = _split(file)
            same = [path for path in found if split and split in {split_name(part) for part in path.parts}]
            found = beside if len(beside) == 1 else same or found
        return found


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


def _load(file: Path) -> Json:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SegNextError(f"{file}: cannot be read as JSON ({error}); mend it or give the right file") from error
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise SegNextError(f"{file}: not COCO annotations, which hold the lists {', '.join(keys)}; give the right file")
    for key, fields in _NEEDED.items():
        for entry in content[key]:
            if not isinstance(entry, dict) or any(entry.get(field) is None for field in fields):
                raise SegNextError(
                    f"{file}: an entry of '{key}' lacks {' or '.join(fields)}: {str(entry)[:80]}; mend or remove it"
                )
    if any("segments_info" in annotation for annotation in content["annotations"][:1]):
        raise SegNextError(f"{file}: COCO panoptic annotations are not instances; give an instances_*.json file")
    return content


def _add_categories(categories: dict[int, str], content: Json, file: Path) -> None:
    for category in content["categories"]:
        number, name = int(category["id"]), str(category["name"])
        if categories.setdefault(number, name) != name:
            raise SegNextError(
                f"{file}: category {number} is '{name}', in another file '{categories[number]}'; import them one by one"
            )


def _split(file: Path) -> str:
    """The split that a JSON file's name (instances_train2017) or folder tells, or ""."""
    words = [*reversed(re.split(r"[_.\- ]+", file.stem)), file.parent.name]
    return next((split for word in words if (split := split_name(word))), "")


def _item(entry: Json, file: Path, pictures: _Pictures) -> Item | Problem:
    parts = [part for part in re.split(r"[\\/]+", str(entry.get("file_name", ""))) if part not in ("", ".", "..")]
    name = PurePosixPath(*parts)
    found = pictures.find(name, file) if parts else []
    if not found:
        return Problem(file, "no picture", f"lists '{name}', but there is no such picture")
    if len(found) > 1:
        return Problem(file, "ambiguous name", f"lists '{name}', but there are {len(found)}: {listed(found)}")
    split = _split(file)
    folders = [part for part in name.parent.parts if not split or split_name(part) != split]
    return Item(PurePosixPath(*folders, name.stem).as_posix(), found[0], file, split)


def _paint(entry: Json, annotations: Sequence[tuple[Json, int]], background: int, tools: Any, item: Item) -> Reading:
    height, width = int(entry["height"]), int(entry["width"])
    mask = np.full((height, width), background, np.uint8)
    notes: dict[str, int] = {}
    painted: list[tuple[bool, int, int, int, Any]] = []
    for annotation, label in annotations:
        if (region := _region(annotation, height, width, tools, item)) is None:
            notes[_EMPTY] = 1 + notes.get(_EMPTY, 0)
            continue
        crowd = bool(annotation.get("iscrowd"))
        painted.append((not crowd, -int(tools.area(region)), len(painted), label, region))
    for *_, label, region in sorted(painted, key=lambda entry: entry[:3]):
        mask[tools.decode(region).astype(bool)] = label
    return Reading(mask, notes)


def _region(annotation: Json, height: int, width: int, tools: Any, item: Item) -> Any:
    """An annotation as compressed RLE; None when it has no segmentation."""
    shape = annotation.get("segmentation")
    try:
        if isinstance(shape, list):
            polygons = [polygon for polygon in shape if len(polygon) >= 6]
            return tools.merge(tools.frPyObjects(polygons, height, width)) if polygons else None
        if not shape:
            return None
        if [int(side) for side in shape["size"]] != [height, width]:
            raise ValueError(f"its RLE is for {shape['size']}")
        counts = shape["counts"]
        runs = counts if isinstance(counts, list) else _runs(str(counts))
        if sum(map(int, runs)) != height * width or min(map(int, runs), default=0) < 0:
            raise ValueError(f"its RLE counts {sum(map(int, runs))} of {height * width} pixels")
        if isinstance(counts, list):
            return tools.frPyObjects(shape, height, width)
        return {"size": [height, width], "counts": counts.encode()}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise PairError(
            "bad segmentation", f"{item.mask}: annotation {annotation.get('id')} cannot be read ({error})"
        ) from error


def _runs(counts: str) -> list[int]:
    """The runs of compressed RLE: 5 bits in each character, the low ones first, 32 says that more follow.

    From the fourth on, the difference to the run before the last is kept. They are added up before pycocotools decodes
    them, because what a damaged one does not cover is not told by it.
    """
    runs: list[int] = []
    place = 0
    while place < len(counts):
        value, shift, more = 0, 0, True
        while more:
            code = ord(counts[place]) - 48
            value |= (code & 31) << shift
            more, shift, place = bool(code & 32), shift + 5, place + 1
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
