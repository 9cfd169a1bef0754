"""The folder that predictions are written to: one process at a time, and nothing that is there is lost in silence."""

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segnext.errors import SegNextError
from segnext.files import claimed, replacing
from segnext.inference.sources import FILM, FRAMES, OUTPUTS, PLANES, Input, distinct
from segnext.labels import Labels

RESULTS, CLASSES = "results.jsonl", "classes.json"


@dataclass(frozen=True)
class Record:
    """A line of results.jsonl.

    Attributes:
        file: the picture's path.
        ok: whether its outputs were written.
        error: the sentence that says what went wrong; the fields below are then None, but for `files`, which are those
            that an earlier run has left of the picture.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        shares: each class's share of the pixels, 0..1.
        mean_confidence: mean probability of the chosen classes, 0..1; None where labels alone are given.
        seconds: from the decoded picture to the mask.
        files: what was written, by kind, as paths below the folder: "mask" and "overlay"; of multi-label weights
            "planes", by class, in place of "mask", and "coco", "yolo", "labelme" or "geojson" in these formats.
    """

    file: str
    ok: bool
    error: str | None
    width: int | None = None
    height: int | None = None
    shares: dict[str, float] | None = None
    mean_confidence: float | None = None
    seconds: float | None = None
    files: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """JSON has no NaN, which is what a result has that does not know its confidence."""
        if self.mean_confidence is not None and math.isnan(self.mean_confidence):
            object.__setattr__(self, "mean_confidence", None)


@dataclass(frozen=True)
class FrameRecord(Record):
    """A line about a frame of a video; `seconds` is None, so that the lines do not depend on who made them.

    Attributes:
        frame: its number, from 0.
        time: seconds from the beginning.
    """

    frame: int = 0
    time: float = 0.0


class OutputFolder:
    """What is in the folder, and how the next outputs are called.

    Attributes:
        folder: where it is.
        ending: how the file is called that holds a picture's mask, its name in place of {}.
        again: how many pictures had been done before, whose outputs are replaced.
    """

    def __init__(self, folder: Path, ending: str = "{}.mask.png") -> None:
        self.folder, self.ending, self.again = folder, ending, 0
        self._names: dict[str, str] = {}  # of pictures done before, by their real path
        self._own: set[str] = set()  # files of runs before
        for _, line in lines_in(folder / RESULTS):
            if name := _name_of(line):
                self._names[os.path.realpath(line["file"])] = name
                self._own.update(file for file in line["files"].values() if isinstance(file, str))
        self._taken = {name.casefold() for name in self._names.values()}

    def name(self, entry: Input) -> str:
        """The name for a picture's outputs: its own, another where that belongs to another picture."""
        before = self._names.get(os.path.realpath(entry.file))
        if before is not None and not self._is_foreign(self.ending.format(before)):
            self.again += 1
            return before
        name = entry.name
        while name.casefold() in self._taken or self._is_there(name):
            self._taken.add(name.casefold())
            name = distinct(entry.name, self._taken)
        self._taken.add(name.casefold())
        return name

    def remove_unlisted(self, names: Iterable[str], ending: str) -> None:
        """Remove what a run that was killed has written under these names, of pictures that no line is about."""
        for name in names:
            if name and name.casefold() not in self._taken:
                for file in (ending.format(name), f"{name}.overlay.png"):
                    (self.folder / file).unlink(missing_ok=True)
                shutil.rmtree(self.folder / f"{name}{PLANES}", ignore_errors=True)

    def _is_foreign(self, file: str) -> bool:
        return file not in self._own and (self.folder / file).exists()

    def _is_there(self, name: str) -> bool:
        if (self.folder / self.ending.format(name)).exists():
            return True
        return any((self.folder / f"{name}{ending}").exists() for ending in (*OUTPUTS, PLANES, FILM, FRAMES))


@contextmanager
def open_outputs(folder: Path, labels: Labels) -> Iterator[OutputFolder]:
    """Claim `folder`, made if it is missing, and see what is in it.

    Raises:
        SegNextError: when it cannot be written, another process writes there, or it holds masks of other classes.
    """
    with writing(folder), claim(folder):
        write_classes(folder / CLASSES, labels)
        yield OutputFolder(folder)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make the folder; within, what cannot be written is a sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise SegNextError(
            f"{folder}: cannot write the results there ({error.strerror or error}); choose another folder with --out"
        ) from error


def claim(folder: Path, patience: float | None = None) -> AbstractContextManager[None]:
    """Within, this process alone writes results there; see `claimed`."""
    refusal = f"{folder}: another process writes its results there; wait for it or choose another --out"
    return claimed(folder, refusal, patience)


def add_records(folder: Path, labels: Labels, file: str, records: Iterable[Record]) -> None:
    """Add the lines about one file to the results, in place of earlier ones.

    Raises:
        SegNextError: see `open_outputs`.
    """
    with open_outputs(folder, labels):
        merge(folder / RESULTS, {os.path.realpath(file)}, (line_of(record) for record in records))


def line_of(record: Record) -> str:
    """A line of results.jsonl."""
    return json.dumps(asdict(record)) + "\n"


def read_records(file: Path, wanted: Callable[[str], bool] = lambda file: True) -> Iterator[Record]:
    """The lines of `results.jsonl` whose picture is `wanted`."""
    for _, line in lines_in(file):
        if wanted(line["file"]):
            yield FrameRecord(**line) if "frame" in line else Record(**line)


def merge(results: Path, files: Collection[str], new: Iterable[str]) -> None:
    """Put new lines after those of `results` about others than `files`, which are real paths."""
    with replacing(results) as temporary, temporary.open("w", encoding="utf-8") as lines:
        for _, line in lines_in(results):
            if os.path.realpath(line["file"]) not in files:
                lines.write(json.dumps(line) + "\n")
        lines.writelines(new)


def lines_in(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a file, if it is there, each with where it begins; a line that was cut off is left out."""
    if not file.exists():
        return
    with file.open("rb") as lines:
        start = 0
        for line in lines:
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                content = None
            if isinstance(content, dict) and isinstance(content.get("file"), str):
                yield start, content
            start += len(line)


def _name_of(line: dict[str, Any]) -> str | None:
    files = line.get("files")
    overlay = files.get("overlay") if isinstance(files, dict) else None
    return re.sub(r"\.overlay\.\w+$", "", overlay) if isinstance(overlay, str) else None


def write_classes(file: Path, labels: Labels) -> None:
    """What the labels in masks mean, for programs.

    Raises:
        SegNextError: when the folder has masks of other classes.
    """
    classes = [
        {"label": label, "name": name, "color": list(color)}
        for label, (name, color) in enumerate(zip(labels.classes, labels.colors, strict=True))
    ]
    text = json.dumps({"classes": classes, "ignore": labels.ignore}, ensure_ascii=False, indent=1) + "\n"
    if file.exists():
        if file.read_text(encoding="utf-8", errors="replace") != text:
            raise SegNextError(
                f"{file}: the folder holds masks of other classes than these weights have; choose another --out"
            )
        return
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
