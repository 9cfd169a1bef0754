"""YOLO's segmentation labels: images/**, labels/**.txt of the same names, and the class names in data.yaml.

A line is a class and the corners of a polygon, as shares of width and height.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from segnext.data.formats.canvas import Canvas, points_of
from segnext.data.formats.class_lists import read_class_list
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.shapes import Drawing, Found, Shape, shapes_source
from segnext.data.formats.source import Item, Problem, Source
from segnext.data.names import folders_of, stem_of
from segnext.documents import read_text, read_yaml, shown
from segnext.errors import SegNextError
from segnext.pillow import SUFFIXES
from segnext.progress import Watch, quiet

LARGEST = 50_000_000  # bytes of a picture's labels
MOST_CLASSES = 10_000
LISTS = ("classes.txt", "obj.names", "labels.txt")


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """A pair for each picture with a file of labels, which is empty where there is background alone."""
    files = files_of(options.source)
    texts = {_key(file.relative_to(options.source)): file for file in files if file.suffix == ".txt"}
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    names = _names(options.source, files)
    found = Found(ordered=True, remarks=["where polygons overlap, later ones in the file lie on top"])
    used: set[int] = set()
    for done, image in enumerate(pictures, 1):
        path = image.relative_to(options.source)
        text = texts.get(_key(path))
        watch("pictures", done, len(pictures))
        if text is None:
            continue
        try:
            lines = _lines(text)
        except SegNextError as error:
            found.problems.append(Problem(image, "unreadable mask", str(error)))
            continue
        used |= {number for number, _ in lines}
        name = PurePosixPath(*folders_of(path), image.stem).as_posix()
        found.drawings.append(Drawing(Item(name, image, text), partial(_shapes, lines, names)))
    known = sorted({*range(len(names)), *used}) if names else sorted(used)
    found.names.update({_called(number, names): 1 for number in known})
    return shapes_source(found, options, pictures)


def _key(path: Path) -> tuple[str, ...]:
    """Equal for a picture and its labels: the path without the folders that say which of them it is."""
    return (*(part for part in path.parent.parts if part.lower() not in ("images", "labels")), stem_of(path))


def _called(number: int, names: list[str]) -> str:
    return names[number] if number < len(names) else f"class {number}"


def _names(source: Path, files: list[Path]) -> list[str]:
    """The class names of data.yaml, or of a list beside it."""
    for file in [file for file in files if file.suffix in (".yaml", ".yml") and file.parent == source]:
        content = read_yaml(file)
        names = content.get("names") if isinstance(content, dict) else None
        if isinstance(names, dict):
            if not all(type(key) is int and 0 <= key < MOST_CLASSES for key in names):
                raise SegNextError(
                    f"{file}: 'names' numbers {shown(list(names))}; classes count from 0, below {MOST_CLASSES}"
                )
            names = [names.get(number, f"class {number}") for number in range(max(names, default=-1) + 1)]
        if isinstance(names, list):
            if not all(isinstance(name, str) for name in names):
                raise SegNextError(f"{file}: 'names' holds {shown(names)}; names are texts: put them in quotes")
            return names
    lists = [file for file in files if file.name in LISTS]
    return list(read_class_list(lists[0]).classes) if lists else []


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """The class and the coordinates of each line."""
    lines = [line.split() for line in read_text(file, LARGEST, "text").splitlines()]
    if wrong := [line for line in lines if line and not (line[0].isdecimal() and len(line[0]) < 6)]:
        raise SegNextError(f"{file}: a line begins with {shown(wrong[0][0])}, which is no class; give YOLO's labels")
    return [(int(line[0]), line[1:]) for line in lines if line]


def _shapes(lines: list[tuple[int, list[str]]], names: list[str], height: int, width: int) -> Iterator[Shape]:
    for number, numbers in lines:
        if len(numbers) <= 4:
            yield Shape(_called(number, names), note="boxes, which have no outline, left out")
        else:
            yield Shape(_called(number, names), partial(_paint, numbers, (width, height)))


def _paint(numbers: list[str], size: tuple[int, int], canvas: Canvas, label: int) -> None:
    canvas.polygon(points_of(numbers) * np.array(size), label)
