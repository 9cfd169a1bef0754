"""Many files: masks, overlays and a line of results for each."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

from segnext.errors import SegNextError
from segnext.inference.segmenter import Segmenter
from segnext.inference.sources import Input, expand

PATIENCE = 2.0  # seconds


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
    interrupted, it holds what was done. Pictures are read and written while the network works.

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
    """Each picture read, segmented and written by one thread; in order.

    One thread more than the engine works on at a time reads or writes meanwhile.
    """

    def work(entry: Input) -> Record:
        try:
            if entry.error is not None:
                raise SegNextError(entry.error)
            result = segmenter.segment(segmenter.read(entry.file), confidence=True)
            result.save(out, entry.name)
        except SegNextError as error:
            return Record(entry.file, False, str(error).removeprefix(f"{entry.file}: "))
        height, width = result.mask.shape[-2:]
        return Record(entry.file, True, None, width, height, result.shares, result.mean_confidence, result.seconds)

    threads = segmenter.engine.streams + 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
    waiting: deque[Future[Record]] = deque()
    try:
        for entry in inputs:
            waiting.append(pool.submit(work, entry))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        wait(waiting, PATIENCE)  # pictures at hand after Ctrl-C, which must not wait for a large one
