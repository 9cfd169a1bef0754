"""Many files: masks, overlays and a line of results for each."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from segnext.errors import NoRoomError, SegNextError
from segnext.inference.ahead import ahead, threads
from segnext.inference.coco import Picture
from segnext.inference.formats import kept, require_format, save
from segnext.inference.journal import Run, open_run
from segnext.inference.kinds import Format
from segnext.inference.outputs import RESULTS, Record, read_records
from segnext.inference.result import MaskKind
from segnext.inference.segmenter import Segmenter
from segnext.inference.sources import Input, expand, names_below
from segnext.inference.unfinished import Share, made_by
from segnext.pillow import pages


@dataclass
class Summary:
    """What became of all inputs.

    Attributes:
        results: the file with a line for each.
        done: how many pictures were segmented.
        failed: how many inputs could not be done.
        again: how many had been done in an earlier run, whose outputs were replaced.
        before: how many this run had done before it was broken off.
        whole: whether all are done; else other processes still work on theirs.
        passed_over: files in folders that are no pictures, or are called as masks and overlays are.
        more_pages: pictures whose files hold more pages or frames than the first, which was segmented.
    """

    results: Path
    inputs: list[Input]
    done: int = 0
    failed: int = 0
    again: int = 0
    before: int = 0
    whole: bool = True
    passed_over: list[str] = field(default_factory=list)
    more_pages: list[str] = field(default_factory=list)

    def records(self) -> Iterator[Record]:
        """The lines of this run, in the inputs' order; read from the file one by one, since there may be millions."""
        files = {entry.file for entry in self.inputs}
        return read_records(self.results, files.__contains__)


def predict_files(
    segmenter: Segmenter,
    paths: Iterable[Path | str],
    out: Path,
    progress: Callable[[Record, int], None] = lambda record, total: None,
    *,
    form: Format = "png",
    mask: MaskKind = "palette",
    share: Share | None = None,
) -> Summary:
    """Segment every picture that `paths` stand for; bad ones are recorded and the others done.

    Writes what `Result.save` does, or masks in another format, `classes.json` and, with a line per input as soon as it
    is done, `results.jsonl` into `out`; see `Run`. A run that was broken off goes on when it is repeated. The folders
    below a folder among `paths` are kept below `out`. Pictures are read and written while the network works.

    Args:
        segmenter: does the work.
        paths: files, folders and globs; see `segnext.inference.sources.expand`.
        out: the folder for the outputs, made if it is missing.
        progress: called with each record, in order, and the number of inputs.
        form: what masks are written as; see `formats`. Of "coco" there is one file, once all pictures are done.
        mask: of png, see `Result.save`.
        share: which part of the pictures this process does, and of how many; whoever finishes last writes
            `results.jsonl`, the same whatever the number, without times. None for all, alone in the folder.

    Raises:
        SegNextError: when `out` cannot be written, has no more room, another process writes there, or it holds masks of
            other classes or a COCO data set of other pictures; when the weights' masks cannot be written in the format.
    """
    require_format(form, segmenter.labels, mask)
    summary = Summary(out / RESULTS, [])
    summary.inputs = expand(paths, summary.passed_over.append)
    settings = {**made_by(segmenter), "format": form, "mask": mask}
    with open_run(out, segmenter.labels, settings, summary.inputs, share, form) as run:
        summary.again, summary.before = run.again, len(run.before)
        for record, picture in _predict(segmenter, summary, run, mask):
            run.add(record, picture)
            summary.done += record.ok
            summary.failed += not record.ok
            progress(record, len(summary.inputs))
    summary.whole = run.whole
    return summary


def _predict(
    segmenter: Segmenter, summary: Summary, run: Run, mask: MaskKind
) -> Iterator[tuple[Record, Picture | None]]:
    """Each picture read, segmented and written by one thread; in order.

    One thread more than the engine works on at a time reads or writes meanwhile.
    """
    file_names = names_below(run.inputs) if run.form == "coco" else {}

    def work(entry: Input, name: str) -> tuple[Record, Picture | None]:
        try:
            if entry.error is not None:
                raise SegNextError(entry.error)
            result = segmenter.segment(segmenter.read(entry.source, entry.file), confidence=True)
            file_name = file_names.get(entry.file, "")
            files, picture = save(result, run.form, run.folder, name, entry, file_name, mask)
        except NoRoomError:
            raise
        except SegNextError as error:
            sentence = str(error).removeprefix(f"{entry.file}: ")
            return Record(entry.file, False, sentence, files=kept(run.form, run.folder, name)), None
        with suppress(SegNextError):  # another reader than Pillow has read it
            if pages(entry.file) > 1:
                summary.more_pages.append(entry.file)
        height, width = result.mask.shape[-2:]
        record = Record(
            entry.file, True, None, width, height, result.shares, result.mean_confidence, result.seconds, files
        )
        return record, picture

    count = segmenter.engine.streams + 1
    with threads(count, "predict") as pool:
        yield from ahead(pool, lambda item: work(*item), run.missing(), count)
