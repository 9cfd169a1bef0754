"""The folder that predictions are written to: one process at a time, and nothing that is there is lost in silence."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

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
        error: the sentence that says what went wrong; the fields below are then None.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        shares: each class's share of the pixels, 0..1.
        mean_confidence: mean probability of the chosen classes, 0..1.
        seconds: from the decoded picture to the mask.
        files: what was written, by kind, as paths below the folder: "mask" and "overlay"; of multi-label weights
            "planes", by class, and "overlay".
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
    """What is in the folder, and where the next results go.

    Lines are written as they come, to `results.jsonl.part`; when all are done, that becomes `results.jsonl`, with the
    lines of earlier runs whose pictures were not done again.

    Attributes:
        folder: where it is.
        again: how many pictures had been done before, whose outputs are replaced.
    """

    def __init__(self, folder: Path, lines: IO[str]) -> None:
        self.folder, self.again = folder, 0
        self._lines = lines
        self._names: dict[str, str] = {}  # of pictures done before, by their real path
        for line in _lines_in(folder / RESULTS):
            if name := _name_of(line):
                self._names[os.path.realpath(line["file"])] = name
        self._taken = {name.casefold() for name in self._names.values()}

    def name(self, entry: Input) -> str:
        """The name for a picture's outputs: its own, another where that belongs to another picture."""
        before = self._names.get(os.path.realpath(entry.file))
        if before is not None:
            self.again += 1
            return before
        name = entry.name
        while name.casefold() in self._taken or self._is_there(name):
            self._taken.add(name.casefold())
            name = distinct(entry.name, self._taken)
        self._taken.add(name.casefold())
        return name

    def _is_there(self, name: str) -> bool:
        return any((self.folder / f"{name}{ending}").exists() for ending in (*OUTPUTS, PLANES, FILM, FRAMES))

    def add(self, record: Record) -> None:
        """Write a line."""
        self._lines.write(json.dumps(asdict(record)) + "\n")
        self._lines.flush()


@contextmanager
def open_outputs(folder: Path, labels: Labels) -> Iterator[OutputFolder]:
    """Claim `folder`, made if it is missing, and keep what is in it.

    Raises:
        SegNextError: when it cannot be written, another process writes there, or it holds masks of other classes.
    """
    part, results = folder / f"{RESULTS}.part", folder / RESULTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with claimed(
            folder, f"{folder}: another process writes its results there; wait for it or choose another --out"
        ):
            _write_classes(folder / CLASSES, labels)
            if part.exists():  # of a run that was broken off
                _merge(results, part)
            with part.open("w", encoding="utf-8") as lines:
                yield OutputFolder(folder, lines)
            _merge(results, part)
    except OSError as error:
        raise SegNextError(
            f"{folder}: cannot write the results there ({error.strerror or error}); choose another folder with --out"
        ) from error


def read_records(file: Path, wanted: Callable[[str], bool] = lambda file: True) -> Iterator[Record]:
    """The lines of `results.jsonl` whose picture is `wanted`."""
    for line in _lines_in(file):
        if wanted(line["file"]):
            yield FrameRecord(**line) if "frame" in line else Record(**line)


def _merge(results: Path, part: Path) -> None:
    """Put the lines of `part` after those of `results` about other pictures, and remove `part`."""
    new = {os.path.realpath(line["file"]) for line in _lines_in(part)}
    with replacing(results) as temporary, temporary.open("w", encoding="utf-8") as lines:
        for line in _lines_in(results):
            if os.path.realpath(line["file"]) not in new:
                lines.write(json.dumps(line) + "\n")
        for line in _lines_in(part):
            lines.write(json.dumps(line) + "\n")
    part.unlink()


def _lines_in(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, if it is there; a line that was cut off, or is none of ours, is left out."""
    if not file.exists():
        return
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(content, dict) and isinstance(content.get("file"), str):
                yield content


def _name_of(line: dict[str, Any]) -> str | None:
    files = line.get("files")
    overlay = files.get("overlay") if isinstance(files, dict) else None
    return re.sub(r"\.overlay\.\w+$", "", overlay) if isinstance(overlay, str) else None


def _write_classes(file: Path, labels: Labels) -> None:
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
