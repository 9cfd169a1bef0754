"""The stages as a picture: a bar for every way, with the floor of the network in it."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from segnext.bench.measure import Measured
from segnext.bench.timings import Timings
from segnext.bench.ways import OURS
from segnext.figures import drawing

COLORS = {"network": "#1f5fa8", "labels": "#e08a1e", "preprocess": "#5b9e6f", "read": "#9fc9a9", "save": "#c9c9c9"}
LABELLING = ("network", "labels")  # from the network's input to labels, which is what is written beside the bar
FLOOR, BOUND = "#ffffff", "#ffd23f"


def draw(report: Timings, out: Path) -> None:
    """Draw the stages of every way into the PNG `out`."""
    height = 2.1 + 0.36 * len(report.measured)
    with drawing(out, (10, height)) as figure:
        axes = figure.subplots()
        for row, way in enumerate(report.measured):
            _draw_way(axes, row, way, report)
        axes.set_yticks(range(len(report.measured)), [way.way.name for way in report.measured])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.3 * max(way.seconds() for way in report.measured) * 1e3)
        axes.set_xlabel("ms")
        axes.set_title(report.title, fontsize=10, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
        figure.legend(
            handles=_legend(axes), loc="outside lower center", ncols=7, frameon=False, fontsize=8.5, handlelength=1.2
        )


def _draw_way(axes: Axes, row: int, way: Measured, report: Timings) -> None:
    """The network first, so that its limits are at the right place on the axis."""
    left = 0.0
    for stage, milliseconds in lengths(way).items():
        color = COLORS[stage]
        axes.barh(row, milliseconds, 0.66, left=left, color=color, label=stage if row == 0 else None)
        left += milliseconds
    if way.way.network == OURS:
        for seconds, color in ((report.floor(way.way.precision), FLOOR), (report.bound(way.way.precision), BOUND)):
            axes.plot([1e3 * seconds] * 2, [row - 0.33, row + 0.33], color=color, linewidth=2.2, solid_capstyle="butt")
    text = f"{left:.0f} ms, {1e3 * way.seconds(*LABELLING):.0f} to labels: {report.speedup(way):.1f} x"
    axes.annotate(text, (left, row), (5, 0), textcoords="offset points", va="center", fontsize=8.5)


def lengths(way: Measured) -> dict[str, float]:
    """Milliseconds of each stage as they are drawn, in the order of `COLORS`.

    Medians of stages do not add up to the median of their sum. They are scaled so that they do, to the labels and in
    all, for these two sums are written beside the bar.
    """
    medians = {stage: 1e3 * way.seconds(stage) for stage in COLORS}
    to_labels = sum(medians[stage] for stage in LABELLING)
    scale = 1e3 * way.seconds(*LABELLING) / to_labels
    rest = 1e3 * (way.seconds() - way.seconds(*LABELLING)) / (sum(medians.values()) - to_labels)
    return {stage: median * (scale if stage in LABELLING else rest) for stage, median in medians.items()}


def _legend(axes: Axes) -> list[Patch]:
    _, stages = axes.get_legend_handles_labels()
    handles = [Patch(facecolor=COLORS[stage], label=stage) for stage in stages]
    limits = ((FLOOR, "floor (matrix products)"), (BOUND, "bound (each operation)"))
    return handles + [Patch(facecolor=color, edgecolor="0.4", label=label) for color, label in limits]
