"""What a run is told by its data: whether it can be trained on, its classes' pixels, how pictures are prepared."""

import sys
from collections.abc import Sequence
from pathlib import Path

from segnext.checkpoint.weights import Weights, load_weights
from segnext.data.band_stats import fitted_preprocess
from segnext.data.counts import ClassCounts, count_classes
from segnext.data.doctor.check import quick_check
from segnext.data.doctor.findings import Severity
from segnext.data.folder import DataSet, Pair
from segnext.data.formats.public.layout import Layout
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.preprocess import Preprocess
from segnext.progress import progress
from segnext.training.config import TrainConfig
from segnext.training.processes import Processes
from segnext.words import counted, quoted


def check_data(data: DataSet, splits: Sequence[str]) -> None:
    """Print what the doctor's quick examination warns of.

    Raises:
        SegNextError: when it finds what would stop or spoil the training.
    """
    findings = quick_check(data, splits)
    command = f"segnext data check {quoted(data.path)}"
    if isinstance(data, Layout):
        command += f" --format {data.labels.name}"
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        others = f" (and {counted(len(errors) - 1, 'more error')})" if errors[1:] else ""
        raise SegNextError(
            f"{data.path}: {errors[0].title}{others}; --check_data false trains all the same; to know more: {command}"
        )
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    for finding in warnings:
        print(f"warning: {finding.title}", file=sys.stderr)
    if warnings:
        print(f"more about the data: {command}", file=sys.stderr, flush=True)


def class_counts(config: TrainConfig, pairs: Sequence[Pair], labels: Labels) -> ClassCounts | None:
    """Pixels of each class in the training masks, which are all read, where the run needs to know."""
    if not config.class_balance and not config.sampling.class_share:
        return None
    return count_classes(pairs, labels, config.workers)


def prepare(
    config: TrainConfig, data: DataSet, pairs: Sequence[Pair], processes: Processes, *, resume: bool
) -> Preprocess:
    """How pictures are prepared; one process measures named bands first, for a resumed run they were at its start.

    Raises:
        SegNextError: see `fitted_preprocess`; or when a run is resumed with data of other classes or bands.
    """
    last = Path(config.out) / "last.safetensors"
    found = Preprocess()
    if processes.main and resume and last.exists():
        weights = load_weights(last)
        _require_same_data(weights, data, config.out)
        found = weights.preprocess
    elif processes.main:
        with progress("pictures") as watch:
            found = fitted_preprocess(
                data,
                pairs,
                chosen=config.bands,
                short_side=config.short_side,
                long_side=config.long_side,
                watch=lambda done, total: watch("measure bands", done, total),
            )
    return processes.same(found)


def _require_same_data(weights: Weights, data: DataSet, out: str) -> None:
    """Refuse other classes or bands than the run began with."""
    before, now = weights.labels, data.labels
    names = [bands and bands.names for bands in (weights.preprocess.bands, data.bands)]
    same = (before.classes, before.ignore, before.multi_label) == (now.classes, now.ignore, now.multi_label)
    if not same or names[0] != names[1]:
        raise SegNextError(
            f"{data.path}: its classes, ignore label or bands are no longer those that the run {out} began with; "
            f"put them back, or start a new run with --from {quoted(out)}"
        )
