"""Label Studio's JSON exports, full or minimal: brushes, polygons, rectangles and ellipses."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.data.formats.canvas import Canvas, oval, points_of, turned
from segnext.data.formats.options import Options
from segnext.data.formats.pictures import Pictures, annotations_of, parts_of
from segnext.data.formats.shapes import Drawing, Found, Json, Shape, shapes_source
from segnext.data.formats.source import Problem, Source
from segnext.documents import read_json
from segnext.errors import SegNextError
from segnext.pillow import SUFFIXES
from segnext.progress import Watch, quiet

WIDTHS = (3, 4, 8, 16)  # of lengths in the brushes that we write
KINDS = ("polygonlabels", "brushlabels", "rectanglelabels", "ellipselabels")


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """The pictures of all tasks; of a task that several people annotated, the last annotation counts."""
    documents, pictures = annotations_of(options, ".json")
    found = Found(remarks=["where shapes overlap, later ones of an annotation lie on top"])
    several = 0
    for done, file in enumerate(documents, 1):
        with found.reading(file):
            several += _read(file, pictures, found)
        watch("JSON files", done, len(documents))
    if several:
        found.remarks.append(f"tasks with several annotations, of which the last counts: {several}")
    return shapes_source(found, options, pictures.all)


def _read(file: Path, pictures: Pictures, found: Found) -> int:
    """Add the tasks of a file; how many of them have several annotations."""
    tasks = read_json(file)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise SegNextError(f"{file}: not an export of Label Studio, which is a list of tasks; export it as JSON")
    several = 0
    for task in tasks:
        data = task.get("data")
        named = _picture(data if isinstance(data, dict) else task)
        if named is None:
            found.problems.append(Problem(file, "no picture", "a task names no picture"))
            continue
        annotations = _annotations(task)
        several += len(annotations) > 1
        if not annotations:
            found.problems.append(Problem(file, "no mask", f"the task of '{named[-200:]}' has no annotation"))
            continue
        item = pictures.item(named, file)
        if isinstance(item, Problem):
            found.problems.append(item)
            continue
        results = annotations[-1]
        size = next(((r.get("original_height"), r.get("original_width")) for r in results), (None, None))
        found.drawings.append(Drawing(item, partial(_shapes, results), size))
        found.names.update(name for result in results if _kind(result) and (name := _name(result)) is not None)
    return several


def _picture(data: Json) -> str | None:
    """The value that is called like a picture."""
    texts = [value for value in data.values() if isinstance(value, str)]
    return next(
        (text for text in texts if (parts := parts_of(text)) and Path(parts[-1]).suffix.lower() in SUFFIXES), None
    )


def _annotations(task: Json) -> list[list[Json]]:
    """The results of each annotation that was not skipped; of a minimal export there is one."""
    given = task.get("annotations", task.get("completions"))
    if isinstance(given, list):
        kept = [entry for entry in given if isinstance(entry, dict) and not entry.get("was_cancelled")]
        return [[r for r in entry.get("result") or [] if isinstance(r, dict)] for entry in kept]
    plain = [value for value in task.values() if isinstance(value, list)]
    return [[{**r, "value": r} for r in value if isinstance(r, dict)] for value in plain[:1]]


def _kind(result: Json) -> str | None:
    value = result.get("value")
    return next((kind for kind in KINDS if isinstance(value, dict) and value.get(kind)), None)


def _name(result: Json) -> str | None:
    names = result["value"][_kind(result)]
    return names[0] if isinstance(names, list) and isinstance(names[0], str) else None


def _shapes(results: list[Json], height: int, width: int) -> Iterator[Shape]:
    for result in results:
        kind = _kind(result)
        if kind is not None and (name := _name(result)) is not None:
            yield Shape(name, partial(_paint, kind, result["value"], height, width))
        elif isinstance(result.get("type"), str) and result["type"].endswith("labels"):
            yield Shape("", note=f"shapes of kind '{result['type'][:40]}' without an area left out")


def _paint(kind: str, value: Json, height: int, width: int, canvas: Canvas, label: int) -> None:
    if kind == "brushlabels":
        canvas.stamp(brush(value["rle"], height, width), 0, 0, label)
        return
    percent = np.array([width, height]) / 100
    if kind == "polygonlabels":
        canvas.polygon(points_of(value["points"]) * percent, label)
        return
    corner = points_of([value["x"], value["y"]]) * percent
    if kind == "rectanglelabels":
        outline = np.concatenate([corner, corner + points_of([value["width"], value["height"]]) * percent])
    else:
        outline = oval(corner, points_of([value["radiusX"], value["radiusY"]]) * percent)
    pivot = corner[0]  # Label Studio turns rectangles about their corner, ellipses about their centre
    canvas.polygon(turned(outline, float(value.get("rotation") or 0), pivot), label)


def brush(content: list[Any], height: int, width: int) -> NDArray[np.bool_]:
    """The mask of a brush, H x W: where the fourth of the channels is set that its packed bits hold.

    A head of 32 bits is the number of bytes, 5 are the width of a word, four times 4 the widths of lengths (each less
    by one). Then each run is a bit that says whether one word is repeated, two bits that choose the width of its
    length, the length less by one, and the word or words (@thi.ng/rle-pack, as Label Studio uses it).

    Raises:
        ValueError: when it does not hold a picture of that size.
    """
    bits = np.unpackbits(np.array(content, np.uint8))
    place = 0

    def take(count: int) -> int:
        nonlocal place
        taken = bits[place : place + count]
        if len(taken) < count:
            raise ValueError("its brush ends early")
        place += count
        return int("".join(map(str, taken.tolist())), 2)

    if take(32) != 4 * height * width or take(5) != 7:
        raise ValueError("its brush is of a picture of another size")
    widths = [take(4) + 1 for _ in range(4)]
    values = np.zeros(4 * height * width, np.uint8)
    done = 0
    while done < len(values):
        repeated, length = take(1), take(widths[take(2)]) + 1
        end = min(done + length, len(values))
        if repeated:
            values[done:end] = take(8)
        else:
            words = np.packbits(bits[place : place + 8 * (end - done)])
            if len(words) < end - done:
                raise ValueError("its brush ends early")
            values[done:end] = words
            place += 8 * (end - done)
        done = end
    return values.reshape(height, width, 4)[..., 3] > 0


def brush_of(mask: NDArray[np.bool_]) -> list[int]:
    """The packed bytes of a mask, H x W, as `brush` reads them: all four channels are 255 where it is set."""
    flat = mask.ravel()
    ends = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    head = f"{4 * flat.size:032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in WIDTHS)
    runs = (_run(4 * (end - start), 255 * int(flat[start])) for start, end in pairwise(ends) if end > start)
    bits = np.frombuffer((head + "".join(runs)).encode(), np.uint8) - ord("0")
    return np.packbits(bits).tolist()


def _run(length: int, value: int) -> str:
    """The bits of `length` equal words, in parts that a length's widest form holds."""
    most = 1 << WIDTHS[-1]
    parts = [most] * (length // most) + [length % most] * bool(length % most)
    bits = ""
    for part in parts:
        choice = next(number for number, width in enumerate(WIDTHS) if part <= 1 << width)
        bits += f"1{choice:02b}{part - 1:0{WIDTHS[choice]}b}{value:08b}"
    return bits
