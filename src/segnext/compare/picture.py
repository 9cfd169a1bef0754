"""The comparison as a picture, like the figures of papers: accuracy over cost, with the spread of the seeds."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from segnext.compare.results import Comparison, Result
from segnext.figures import drawing

Costs = Callable[[Result], float]
SIDES = ((8, 4, "left"), (-8, 4, "right"), (8, -12, "left"), (-8, -12, "right"))  # of a point, where its name may be


def draw(comparison: Comparison, out: Path | BinaryIO) -> None:
    """Draw mIoU over multiply-adds, and over the seconds of each device; a circle's area grows with the parameters."""
    if not comparison.ranked:
        return
    height, width = comparison.size
    panels: list[tuple[str, Costs]] = [
        (f"multiply-adds for a picture of {width} x {height}, G", lambda result: result.operations / 1e9)
    ]
    for device in comparison.devices:
        panels.append((f"time of a picture, {device}, ms", partial(_milliseconds, device=device)))
    with drawing(out, (5.6 * len(panels), 5)) as figure:
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for panel, (label, cost) in zip(axes, panels, strict=True):
            _panel(panel, comparison, cost)
            panel.set_xlabel(f"{label}, log scale")
        axes[0].set_ylabel("mIoU on val, %: seeds, mean, standard deviation")
        title = f"{comparison.caption}; areas: parameters" if len(panels) > 1 else comparison.caption
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        figure.draw_without_rendering()
        for panel, (_, cost) in zip(axes, panels, strict=True):
            _name(panel, comparison, cost)


def _milliseconds(result: Result, *, device: str) -> float:
    cost = result.costs.get(device)
    return 1000 * cost.seconds if cost else math.nan


def _shown(comparison: Comparison, cost: Costs) -> list[tuple[str, Result]]:
    """Those that a panel shows, each with its colour in all panels."""
    measured = [(f"C{number % 10}", result) for number, result in enumerate(comparison.results) if result.counts]
    return [(color, result) for color, result in measured if cost(result) > 0]


def _panel(axes: Axes, comparison: Comparison, cost: Costs) -> None:
    for color, result in _shown(comparison, cost):
        x, y = cost(result), 100 * result.miou
        axes.errorbar(x, y, yerr=_spread(result), color=color, capsize=3, zorder=2)
        axes.scatter(x, y, s=14 * result.parameters / 1e6, color=color, alpha=0.3, zorder=1)
        axes.scatter([x] * len(result.mious), [100 * miou for miou in result.mious], s=7, color=color, zorder=3)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.3, y=0.15)
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)


def _name(axes: Axes, comparison: Comparison, cost: Costs) -> None:
    """Each name beside its point, where it covers no other and no bar; the axes are where they will be drawn."""
    shown = _shown(comparison, cost)
    taken = [_bar(axes, cost(result), result) for _, result in shown]
    for color, result in shown:
        point = cost(result), 100 * result.miou
        for across, up, side in SIDES:
            place: dict[str, Any] = {"xytext": (across, up), "textcoords": "offset points", "ha": side}
            text = axes.annotate(result.name, point, fontsize=9, color=color, **place)
            box = text.get_window_extent()
            if box.count_overlaps(taken) == 0 and axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1:
                break
            text.remove()
        else:
            axes.add_artist(text)  # there is no free place
        taken.append(box)


def _bar(axes: Axes, x: float, result: Result) -> Bbox:
    """What a network's bar of spread covers, in pixels."""
    y, spread = 100 * result.miou, _spread(result)
    return Bbox(axes.transData.transform([(x, y - spread), (x, y + spread)])).padded(6)


def _spread(result: Result) -> float:
    return 0.0 if math.isnan(result.spread) else 100 * result.spread
