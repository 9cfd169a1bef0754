"""Many pictures into one folder, by one process or several: what is planned, and what is done of it so far.

The plan says how each picture's outputs are called, so that a run that was killed goes on, and several processes agree,
whatever is in the folder meanwhile. Each process writes a line as soon as a picture is done. When all are done, the
lines become `results.jsonl`, in the order of the plan.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from segnext.errors import SegNextError
from segnext.files import remove_leftovers, replacing
from segnext.inference.coco import Picture, write_coco
from segnext.inference.formats import NAMES, write_class_list
from segnext.inference.kinds import COCO, Format
from segnext.inference.outputs import (
    CLASSES,
    RESULTS,
    OutputFolder,
    Record,
    claim,
    line_of,
    lines_in,
    merge,
    write_classes,
    writing,
)
from segnext.inference.sources import PLANES, Input
from segnext.inference.unfinished import SETTINGS, Share, alone, begin, digest, fits, folder_for, identity, require_idle
from segnext.labels import Labels

PLAN = "plan.json"
FINISHED = ".results.jsonl.finished"  # for a process that comes late
PICTURE = "coco_picture"  # in a line, until all are done
PATIENCE = 120.0  # seconds that a process waits while another one makes the plan


class Plan(NamedTuple):
    """What a run was planned as: how many pictures had been done before, the inputs' names, the masks' format."""

    again: int
    names: list[str]
    form: Format


class Place(NamedTuple):
    """Where a line is, and whether it says that the picture was done."""

    file: Path
    start: int
    fine: bool


@dataclass
class Run:
    """A run over many pictures, as one process sees it.

    Attributes:
        folder: for the outputs.
        names: of each input's outputs, in the inputs' order.
        again: how many pictures had been done by an earlier run, whose outputs are replaced.
        before: which inputs were done before this process began, by this run.
        share: which inputs are this process's; None where there are no others.
        settings: a text that stands for all that the results depend on.
        labels: what masks mean.
        form: what masks are written as.
        whole: whether all are done, by whomever; known at the end.
    """

    folder: Path
    inputs: list[Input]
    names: list[str]
    again: int
    share: Share | None
    settings: str
    labels: Labels
    form: Format
    before: set[int] = field(default_factory=set)
    whole: bool = False
    lines: IO[str] | None = None

    @property
    def parts(self) -> Path:
        """The folder for the plan, and for what several processes have done."""
        return folder_for(self.folder / RESULTS)

    def journal(self) -> Path:
        """The file for this process's lines."""
        if self.share is None:
            return self.folder / f"{RESULTS}.part"
        return self.parts / f"part-{self.share[0]}-{self.share[1]}.jsonl"

    def missing(self) -> Iterator[tuple[Input, str]]:
        """What this process is to do, each with its name."""
        number, count = self.share or (0, 1)
        if self.whole:
            return
        for index, item in enumerate(zip(self.inputs, self.names, strict=True)):
            if index % count == number and index not in self.before:
                yield item

    def add(self, record: Record, picture: Picture | None = None) -> None:
        """Write a line; one of several processes' says no time, so that all lines together do not depend on who did.

        `picture` is kept with it for the COCO data set that is written when all are done.
        """
        assert self.lines is not None
        line = line_of(record if self.share is None else replace(record, seconds=None))
        self.lines.write(line if picture is None else json.dumps({**json.loads(line), PICTURE: picture}) + "\n")
        self.lines.flush()

    def done(self) -> dict[int, Place]:
        """The inputs that have lines; where one failed and was then done, the line that says so."""
        numbers = {entry.file: index for index, entry in enumerate(self.inputs)}
        found: dict[int, Place] = {}
        for journal in journals(self.folder):
            for start, line in lines_in(journal):
                index, fine = numbers.get(line["file"]), bool(line.get("ok"))
                if index is not None and (fine or index not in found):
                    found[index] = Place(journal, start, fine)
        return found

    def finish(self) -> None:
        """Make `results.jsonl`, unless others still work on their pictures."""
        done = self.done()
        self.whole = len(done) == len(self.inputs)
        if not self.whole:
            return
        files = {os.path.realpath(entry.file) for entry in self.inputs}
        with ExitStack() as stack:
            opened = {file: stack.enter_context(file.open("rb")) for file in journals(self.folder)}

            def lines() -> Iterator[dict[str, Any]]:
                for index in range(len(self.inputs)):
                    opened[done[index].file].seek(done[index].start)
                    yield json.loads(opened[done[index].file].readline())

            if self.form == "coco":
                pictures = lambda: (line[PICTURE] for line in lines() if PICTURE in line)  # noqa: E731
                write_coco(self.folder / COCO, self.labels, pictures)
            merge(self.folder / RESULTS, files, (_without_picture(line) for line in lines()))
        if self.share is not None:
            (self.folder / FINISHED).write_text(self.settings)
        for folder in self._folders():
            if folder.is_dir():
                remove_leftovers(folder)  # of processes that were killed while they wrote a picture
        forget(self.folder)

    def _folders(self) -> set[Path]:
        """Those that outputs are written into."""
        kinds = ["{}.overlay.png", NAMES.get(self.form, "{}.mask.png")]
        if self.labels.multi_label:
            kinds.append(f"{{}}{PLANES}/class.mask.png")
        return {self.folder, *((self.folder / kind.format(name)).parent for name in self.names for kind in kinds)}


def _without_picture(line: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in line.items() if key != PICTURE}) + "\n"


def journals(folder: Path) -> list[Path]:
    """The files with lines of a run that is not finished."""
    own = folder / f"{RESULTS}.part"
    return [*([own] if own.exists() else []), *sorted(folder_for(folder / RESULTS).glob("part-*.jsonl"))]


def forget(folder: Path) -> None:
    """Remove what is kept of a run."""
    for journal in journals(folder):
        journal.unlink()
    shutil.rmtree(folder_for(folder / RESULTS), ignore_errors=True)


@contextmanager
def open_run(
    folder: Path,
    labels: Labels,
    settings: dict[str, Any],
    inputs: list[Input],
    share: Share | None,
    form: Format = "png",
) -> Iterator[Run]:
    """Go on with a run over these inputs with these settings, or begin it; lines of another one are kept.

    Args:
        folder: for the outputs, made if it is missing.
        labels: what masks mean.
        settings: what the results depend on.
        inputs: the pictures, in the order of their lines.
        share: which of them this process does, and of how many; None to be alone in the folder.
        form: what masks are written as.

    Raises:
        SegNextError: when nothing can be written, another process is in the way, or there are masks of other classes
            or a COCO data set of other pictures.
    """
    with writing(folder), ExitStack() as stack:
        stack.enter_context(claim(folder, None if share is None else PATIENCE))
        write_classes(folder / CLASSES, labels)
        settings = {**settings, "inputs": digest([_identity(entry) for entry in inputs])}
        if share is not None and _finished(folder) == digest(settings):
            done = set(range(len(inputs)))
            yield Run(folder, inputs, [], 0, share, digest(settings), labels, form, done, whole=True)
            return
        (folder / FINISHED).unlink(missing_ok=True)
        write_class_list(folder, form, labels)
        run = _planned(folder, labels, settings, inputs, share, form)
        run.before = {index for index, place in run.done().items() if place.fine}
        if share is not None:
            stack.close()  # others may come
            stack.enter_context(alone(run.parts, share))
        with run.journal().open("a+b") as journal:
            if journal.seek(0, os.SEEK_END) and _torn(journal):
                journal.write(b"\n")
        with run.journal().open("a", encoding="utf-8") as run.lines:
            yield run
        if share is not None:
            stack.enter_context(claim(folder, PATIENCE))
        run.finish()


def _planned(
    folder: Path, labels: Labels, settings: dict[str, Any], inputs: list[Input], share: Share | None, form: Format
) -> Run:
    """The run as its plan says, or a new plan."""
    parts = folder_for(folder / RESULTS)
    if not fits(parts, settings):
        require_idle(parts)
        unfinished = _read_plan(parts)
        for journal in journals(folder):  # of a run that was broken off
            files = {os.path.realpath(line["file"]) for _, line in lines_in(journal)}
            merge(folder / RESULTS, files, (_without_data_set(line) for _, line in lines_in(journal)))
        forget(folder)
        if form == "coco":
            _require_own(folder, inputs)
        outputs = OutputFolder(folder, NAMES.get(form, NAMES["png"]))
        if unfinished is not None:
            outputs.remove_unlisted(unfinished.names, NAMES.get(unfinished.form, NAMES["png"]))
        names = ["" if entry.error else outputs.name(entry) for entry in inputs]
        begin(parts, settings)
        with replacing(parts / PLAN) as temporary:
            temporary.write_text(json.dumps(Plan(outputs.again, names, form)._asdict()), encoding="utf-8")
    plan = _read_plan(parts)
    if plan is None:  # killed between the two, or damaged since
        (parts / SETTINGS).unlink()  # so that it is planned anew, when nobody works on it, and its lines are kept
        return _planned(folder, labels, settings, inputs, share, form)
    return Run(folder, inputs, plan.names, plan.again, share, digest(settings), labels, form)


def _read_plan(parts: Path) -> Plan | None:
    """The plan of a run; None when it is not there or damaged."""
    try:
        plan = json.loads((parts / PLAN).read_text(encoding="utf-8"))
        return Plan(int(plan["again"]), [*map(str, plan["names"])], plan.get("form", "png"))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _without_data_set(line: dict[str, Any]) -> str:
    """A line of a run whose COCO data set will not be written."""
    if PICTURE in line:
        del line["files"]["coco"]
    return _without_picture(line)


def _require_own(folder: Path, inputs: list[Input]) -> None:
    """Refuse to replace a COCO data set that is of other pictures too.

    Raises:
        SegNextError: saying so.
    """
    if not (folder / COCO).exists():
        return
    listed = {
        os.path.realpath(line["file"])
        for _, line in lines_in(folder / RESULTS)
        if isinstance(line.get("files"), dict) and "coco" in line["files"]
    }
    if not listed or not listed <= {os.path.realpath(entry.file) for entry in inputs}:
        raise SegNextError(
            f"{folder / COCO}: is there already, of other pictures; name these too, or choose another --out"
        )


def _finished(folder: Path) -> str:
    try:
        return (folder / FINISHED).read_text()
    except OSError:
        return ""


def _identity(entry: Input) -> list[Any]:
    if entry.content is not None:
        return [entry.file, hashlib.sha256(entry.content).hexdigest()]
    try:
        return [entry.file, *identity(entry.file)]
    except (OSError, ValueError):
        return [entry.file]


def _torn(journal: IO[bytes]) -> bool:
    """Whether the last line was cut off."""
    journal.seek(-1, os.SEEK_END)
    return journal.read(1) != b"\n"
