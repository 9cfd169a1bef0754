"""Many files: masks, overlays and a line of results for each."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.inference.result import Result
from segnext.inference.segmenter import Segmenter
from segnext.inference.sources import Input, expand
from segnext.preprocess import Image

A = TypeVar("A")
B = TypeVar("B")


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
    """

    file: str
    ok: bool
    error: str | None
    width: int | None = None
    height: int | None = None
    shares: dict[str, float] | None = None
    mean_confidence: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Summary:
    """What became of all inputs, in their order; `names` has those of the outputs, by file."""

    records: list[Record]
    names: dict[str, str]

    @property
    def done(self) -> int:
        """How many pictures were segmented."""
        return sum(record.ok for record in self.records)

    @property
    def failed(self) -> int:
        """How many inputs could not be done."""
        return len(self.records) - self.done


def predict_files(
    segmenter: Segmenter,
    paths: Iterable[Path | str],
    out: Path,
    progress: Callable[[Record, int], None] = lambda record, total: None,
) -> Summary:
    """Segment every picture that `paths` stand for; bad ones are recorded and the others done.

    Writes what `Result.save` does and, with a line per input as soon as it is done,
    `results.jsonl` into `out`. Until the end that file is called `results.jsonl.part`; when the run is
    interrupted, it holds what was done. One picture ahead is read, and one behind is written, while the
    network works.

    Args:
        segmenter: does the work.
        paths: files, folders and globs; see `segnext.inference.sources.expand`.
        out: the folder for the outputs, made if it is missing.
        progress: called with each record, in order, and the number of inputs.

    Raises:
        SegNextError: when `out` cannot be written.
    """
    inputs = expand(paths)
    records = []
    partial = out / "results.jsonl.part"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as lines:
            for record in _predict(segmenter, inputs, out):
                lines.write(json.dumps(asdict(record)) + "\n")
                lines.flush()
                records.append(record)
                progress(record, len(inputs))
        partial.replace(out / "results.jsonl")
    except OSError as error:
        raise SegNextError(
            f"{out}: cannot write the results there ({error.strerror or error}); choose another folder with --out"
        ) from error
    return Summary(records, {entry.file: entry.name for entry in inputs})


def _predict(segmenter: Segmenter, inputs: list[Input], out: Path) -> Iterator[Record]:
    """Read, segment and write, three pictures at a time in three threads."""

    def read(entry: Input) -> tuple[Input, Image | SegNextError]:
        return entry, _or_error(read_image, entry.file) if entry.error is None else SegNextError(entry.error)

    def segment(work: tuple[Input, Image | SegNextError]) -> tuple[Input, Result | SegNextError]:
        entry, image = work
        return entry, image if isinstance(image, SegNextError) else _or_error(segmenter, image)

    def write(work: tuple[Input, Result | SegNextError]) -> Record:
        entry, result = work
        saved = result if isinstance(result, SegNextError) else _or_error(_save, (result, out, entry.name))
        return _record(entry.file, saved)

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        yield from _ahead(writer, write, map(segment, _ahead(reader, read, inputs)))


def _ahead(pool: ThreadPoolExecutor, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Like map, but the next item is already handed to the pool while the caller works on this one."""
    waiting: deque[Future[B]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > 1:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _or_error(function: Callable[[A], B], argument: A) -> B | SegNextError:
    try:
        return function(argument)
    except SegNextError as error:
        return error


def _save(work: tuple[Result, Path, str]) -> Result:
    result, out, name = work
    result.save(out, name)
    return result


def _record(file: str, result: Result | SegNextError) -> Record:
    if isinstance(result, SegNextError):
        return Record(file, False, str(result).removeprefix(f"{file}: "))
    height, width = result.mask.shape[-2:]
    return Record(file, True, None, width, height, result.shares, result.mean_confidence, result.seconds)
