"""What a comparison has found, for people as a table and for programs."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.compare.measure import Cost
from segnext.compare.significance import DRAWS, Counts, Difference, compare, mious
from segnext.evaluation.boundaries import boundary_iou

EXPLAINED = (
    "mIoU is the mean over the seeds ± their standard deviation. Behind: the distance to the best network, with an "
    f"interval that holds 95 % of {DRAWS:,} draws (a paired bootstrap: in each draw the same pictures of val for both, "
    "and some of the seeds of each, with replacement), and p, how often so large a distance comes about where there is "
    "none. With one seed, the interval says nothing of what other seeds would change. MB are the most memory that a "
    "process held; s, ms and J are medians or means of what was measured on this machine."
)


@dataclass(frozen=True, eq=False)
class Result:
    """A network that took part.

    Attributes:
        name: of the entry.
        model: what it is, as `--model` names it.
        counts: of each seed, see `measure.measured`; none of a network that failed.
        along: of each seed, what is counted along outlines.
        parameters: learned numbers.
        operations: multiply-adds of the network for a picture of val.
        iterations: steps of each seed.
        seconds: of the training steps of each seed.
        training_peak: the most memory of a training process, in bytes.
        costs: by device.
        failure: why a seed could not be trained, or "".
    """

    name: str
    model: str
    counts: tuple[Counts, ...] = ()
    along: tuple[NDArray[np.int64], ...] = ()
    parameters: int = 0
    operations: int = 0
    iterations: int = 0
    seconds: tuple[float, ...] = ()
    training_peak: int | None = None
    costs: Mapping[str, Cost] = field(default_factory=dict)
    failure: str = ""

    @cached_property
    def mious(self) -> tuple[float, ...]:
        """MIoU of each seed, 0..1."""
        return tuple(float(mious(one, np.ones((1, len(one))))[0]) for one in self.counts)

    @property
    def miou(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.mious) if self.counts else math.nan

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; NaN for one."""
        return statistics.stdev(self.mious) if len(self.counts) > 1 else math.nan

    @property
    def boundary_iou(self) -> float:
        """Mean over classes and seeds, 0..1; NaN where there is no outline."""
        ratios = [boundary_iou(one) for one in self.along]
        found = [float(np.nanmean(ratio)) for ratio in ratios if not np.isnan(ratio).all()]
        return statistics.fmean(found) if found else math.nan

    @cached_property
    def iou(self) -> tuple[float, ...]:
        """Of each class, the mean over the seeds; NaN for a class that occurs nowhere."""
        sums = np.stack([one.sum(0) for one in self.counts]).astype(float)
        union = sums[..., 1] + sums[..., 2] - sums[..., 0]
        found = np.divide(sums[..., 0], union, out=np.full(union.shape, np.nan), where=union > 0)
        return tuple(found.mean(0).tolist())

    @cached_property
    def never_predicted(self) -> tuple[int, ...]:
        """Labels in the truth that no seed has predicted anywhere."""
        if not self.counts:
            return ()
        sums = np.stack([one.sum(0) for one in self.counts]).sum(0)
        return tuple(np.flatnonzero((sums[:, 1] > 0) & (sums[:, 2] == 0)).tolist())


@dataclass(frozen=True, eq=False)
class Comparison:
    """All networks on a data set.

    Attributes:
        caption: what was compared, in a line.
        classes: names.
        size: height and width of the picture that multiply-adds and costs are of.
        results: in the order of the recipe.
    """

    caption: str
    classes: Sequence[str]
    size: tuple[int, int]
    results: Sequence[Result]

    @cached_property
    def ranked(self) -> list[Result]:
        """Those that were measured, the best first."""
        return sorted((result for result in self.results if result.counts), key=lambda result: -result.miou)

    @cached_property
    def differences(self) -> dict[tuple[str, str], Difference]:
        """Of every pair of measured networks, the first the better."""
        pairs = [(a, b) for number, a in enumerate(self.ranked) for b in self.ranked[number + 1 :]]
        return {(a.name, b.name): compare(a.counts, b.counts) for a, b in pairs}

    @property
    def devices(self) -> list[str]:
        """On which costs were measured."""
        return list(dict.fromkeys(device for result in self.results for device in result.costs))

    def verdict(self) -> str:
        """A sentence on which is best, and which are not told apart from it."""
        if not self.ranked:
            return "Nothing was measured."
        best, *others = self.ranked
        close = [other.name for other in others if self.differences[best.name, other.name].low <= 0]
        sentence = f"{best.name} is best with {100 * best.miou:.2f} % mIoU"
        return f"{sentence}; not told apart from it: {', '.join(close)}." if close else f"{sentence}."

    def never_predicted(self) -> dict[str, list[str]]:
        """By network, the classes in the truth that it predicts nowhere; without those that predict all."""
        missing = {result.name: [self.classes[label] for label in result.never_predicted] for result in self.ranked}
        return {name: classes for name, classes in missing.items() if classes}

    def rows(self) -> list[dict[str, str]]:
        """Cells of the table by column, the best network first; failed ones at the end."""
        return [self._row(result) for result in self.ranked]

    def _row(self, result: Result) -> dict[str, str]:
        best = self.ranked[0]
        spread = "" if math.isnan(result.spread) else f" ± {100 * result.spread:.2f}"
        cells = {"network": result.name, "val mIoU %": f"{100 * result.miou:.2f}{spread}"}
        cells |= {"behind": "", "95 % interval": "", "p": ""}
        if result is not best:
            found = self.differences[best.name, result.name]
            cells["behind"] = f"{100 * found.miou:.2f}"
            cells["95 % interval"] = f"{100 * found.low:.2f} to {100 * found.high:.2f}"
            cells["p"] = found.p_shown
        cells["boundary IoU %"] = _percent(result.boundary_iou)
        cells["params M"] = f"{result.parameters / 1e6:.2f}"
        cells["multiply-adds G"] = f"{result.operations / 1e9:.2f}"
        for device in self.devices:
            cells |= _cost_cells(device, result.costs.get(device))
        cells["training MB"] = _megabytes(result.training_peak)
        cells["steps"] = f"{result.iterations:,}"
        cells["training s"] = f"{statistics.fmean(result.seconds):,.0f}"
        return cells

    def markdown(self) -> str:
        """The table, the classes, and what failed."""
        height, width = self.size
        parts = [f"# Comparison\n\n{self.caption}; costs for a picture of {width} x {height}\n\n{self.verdict()}\n"]
        if rows := self.rows():
            parts.append(_table([list(rows[0]), *(list(row.values()) for row in rows)]))
            names = [result.name for result in self.ranked]
            classes = zip(self.classes, *(result.iou for result in self.ranked), strict=True)
            parts.append(_table([["IoU %", *names], *([name, *map(_percent, ious)] for name, *ious in classes)]))
        if never := self.never_predicted():
            lines = "".join(f"- {name}: {', '.join(classes)}\n" for name, classes in never.items())
            parts.append(f"Never predicted, though in the masks:\n\n{lines}")
        if rows:
            parts.append(f"{EXPLAINED}\n")
        failures = [f"- {result.name}: {result.failure}\n" for result in self.results if result.failure]
        if failures:
            parts.append("Not done:\n\n" + "".join(failures))
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; mIoU 0..1, None where there is none."""
        return {
            "caption": self.caption,
            "size": list(self.size),
            "networks": [
                {
                    "name": result.name,
                    "model": result.model,
                    "miou": _number(result.miou),
                    "spread": _number(result.spread),
                    "miou_of_seeds": list(result.mious),
                    "boundary_iou": _number(result.boundary_iou),
                    "iou": dict(zip(self.classes, map(_number, result.iou), strict=True)) if result.counts else {},
                    "never_predicted": [self.classes[label] for label in result.never_predicted],
                    "parameters": result.parameters,
                    "multiply_adds": result.operations,
                    "iterations": result.iterations,
                    "seconds_of_seeds": list(result.seconds),
                    "training_peak_rss": result.training_peak,
                    "costs": {device: asdict(cost) for device, cost in result.costs.items()},
                    "failure": result.failure or None,
                }
                for result in self.results
            ],
            "differences": [
                {"better": better, "worse": worse, **asdict(found)}
                for (better, worse), found in self.differences.items()
            ],
        }


def _cost_cells(device: str, cost: Cost | None) -> dict[str, str]:
    if cost is None:
        return {f"{device} ms": "", f"{device} MB": ""}
    cells = {f"{device} ms": f"{1000 * cost.seconds:.1f}", f"{device} MB": _megabytes(cost.peak_rss)}
    return cells if cost.joules is None else cells | {f"{device} J": f"{cost.joules:.2f}"}


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of Markdown, the first the head."""
    head, *others = (f"| {' | '.join(row)} |\n" for row in rows)
    return f"{head}|{'---|' * len(rows[0])}\n{''.join(others)}"


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.0f}"


def _percent(ratio: float) -> str:
    return "" if math.isnan(ratio) else f"{100 * ratio:.1f}"


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value
