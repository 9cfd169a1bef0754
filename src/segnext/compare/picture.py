"""The comparison as a picture, like the figures of papers: accuracy over cost, with the spread of the seeds."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from segnext.compare.results import Comparison, Result
from segnext.figures import drawing

Costs = Callable[[Result], float]


def draw(comparison: Comparison, out: Path | BinaryIO) -> None:
    """Draw mIoU over multiply-adds, and over the seconds of each device; a circle's area grows with the parameters."""
    if not comparison.ranked:
        return
    height, width = comparison.size
    panels: list[tuple[str, Costs]] = [
        (f"multiply-adds, G (a picture of {width} x {height})", lambda result: result.operations / 1e9)
    ]
    for device in comparison.devices:
        panels.append((f"{device}, ms a picture", lambda result, device=device: _milliseconds(result, device)))  # type: ignore[misc]
    with drawing(out, (5.6 * len(panels), 5)) as figure:
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for panel, (label, cost) in zip(axes, panels, strict=True):
            _panel(panel, comparison, cost)
            panel.set_xlabel(f"{label}, log scale")
        axes[0].set_ylabel("mIoU on val, %")
        figure.suptitle(f"{comparison.caption}; areas: parameters", x=0.01, ha="left", fontsize=10)


def _milliseconds(result: Result, device: str) -> float:
    cost = result.costs.get(device)
    return 1000 * cost.seconds if cost else math.nan


def _panel(axes: Axes, comparison: Comparison, cost: Costs) -> None:
    shown = [(number, result) for number, result in enumerate(comparison.results) if result.counts]
    shown = [(number, result) for number, result in shown if cost(result) > 0]
    middle = math.prod(cost(result) ** (1 / len(shown)) for _, result in shown)
    for number, result in shown:
        color = f"C{number % 10}"
        x, y = cost(result), 100 * result.miou
        spread = 0.0 if math.isnan(result.spread) else 100 * result.spread
        axes.errorbar(x, y, yerr=spread, color=color, capsize=3, zorder=2)
        axes.scatter(x, y, s=14 * result.parameters / 1e6, color=color, alpha=0.3, zorder=1)
        axes.scatter([x] * len(result.mious), [100 * miou for miou in result.mious], s=7, color=color, zorder=3)
        side, place = ("left", (8, 4)) if x <= middle else ("right", (-8, 4))
        axes.annotate(result.name, (x, y), xytext=place, textcoords="offset points", ha=side, fontsize=9, color=color)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.25, y=0.15)
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
