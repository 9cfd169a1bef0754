"""The charts of the contact sheet."""

from collections import Counter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from segnext.data.doctor.check import Diagnosis
from segnext.data.doctor.verdict import class_rows
from segnext.data.known import labels_for_count
from segnext.data.sizes_chart import draw_sizes as draw_pictures
from segnext.painting import palette

MOST_CLASSES = 60
SPLIT_COLORS = ("#33691e", "#ef6c00", "#5e35b1", "#00838f")
_SPREAD_COLORS = np.array(labels_for_count(256).colors, np.uint8)


def chart_height(report: Diagnosis) -> float:
    """Inches that the bars of the classes need."""
    rows = class_rows(report)
    names = min(MOST_CLASSES, len(next(iter(rows.values()), {})))
    return max(3.6, 0.2 * names * (0.7 + 0.3 * len(rows)) + 1.2)


def draw_classes(figure: FigureBase, report: Diagnosis) -> None:
    """How many of the pixels each class, label or colour has, a bar for every split."""
    rows = class_rows(report)
    every = list(next(iter(rows.values()), {}))
    names = every[:MOST_CLASSES]
    axes = figure.subplots()
    thick = 0.8 / max(len(rows), 1)
    floor = min([share for row in rows.values() for share in row.values() if share > 0], default=1) * 100
    for place, (split, row) in enumerate(rows.items()):
        at = [index + thick * (place - (len(rows) - 1) / 2) for index in range(len(names))]
        colors = names if report.encoding.kind == "colors" else SPLIT_COLORS[place % len(SPLIT_COLORS)]
        widths = [100 * row[name] for name in names]
        axes.barh(at, widths, thick, color=colors, edgecolor="#999999", linewidth=0.4, label=split or None)
        for y in [y for y, width in zip(at, widths, strict=True) if width == 0]:
            axes.text(floor * 0.55, y, "never", va="center", fontsize=7, color="#c62828")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter() if floor < 20 else axes.xaxis.get_major_formatter())
    axes.set_xlim(floor * 0.5, 130)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    if report.encoding.kind != "colors":  # whose bars have them
        _draw_key(axes, _colors_of(names, report))
    axes.invert_yaxis()
    axes.set_xlabel("share of the labelled pixels in percent, logarithmic")
    axes.set_title(class_title(report.encoding.kind, len(names), len(every)))
    if any(rows):
        axes.legend(fontsize=8)


def mask_colors(report: Diagnosis) -> NDArray[np.uint8]:
    """The colour of each of 256 labels on the sheet: the class list's, else well-spread; foreign labels are magenta."""
    labels = report.case.labels
    if report.encoding.kind == "binary":
        return np.linspace((20, 20, 60), (255, 60, 60), 256).astype(np.uint8)
    if labels is None:
        return _SPREAD_COLORS
    colors = palette(labels, (255, 0, 255))
    colors[labels.ignore] = 255
    return colors


def _colors_of(names: list[str], report: Diagnosis) -> NDArray[np.floating]:
    """Red, green and blue, 0..1, of what has a bar: the classes in their order, or labels and grey levels."""
    named = report.case.labels and report.encoding.kind == "labels"
    values = range(len(names)) if named else [min(max(int(name), 0), 255) for name in names]
    return mask_colors(report)[[*values]] / 255


def _draw_key(axes: Axes, colors: NDArray[np.floating]) -> None:
    """A square of its colour between each bar and its name."""
    axes.tick_params("y", length=0, pad=16)
    across = axes.get_yaxis_transform()  # x in shares of the chart's width, y in bars
    for place, color in enumerate(colors):
        corner = (-0.034, place - 0.4)
        axes.add_patch(
            Rectangle(corner, 0.026, 0.8, transform=across, clip_on=False, facecolor=color, edgecolor="#999999", lw=0.4)
        )


def class_title(kind: str, shown: int, count: int) -> str:
    """What the bars are, and whether some are left out."""
    what = {"colors": "colours of the masks", "binary": "grey levels"}.get(kind, "classes")
    return what if shown == count else f"the first {shown} of {count} {what}"


def draw_sizes(figure: FigureBase, report: Diagnosis) -> None:
    """Widths and heights, and how wide pictures are for their height."""
    sizes = [record.image.upright for record in report.case.records if record.image.size[0]]
    left, right = figure.subplots(1, 2)
    draw_pictures(left, Counter((height, width) for width, height in sizes))
    aspects = [width / height for width, height in sizes]
    if aspects:
        middle = (min(aspects) + max(aspects)) / 2
        half = max(0.25, (max(aspects) - min(aspects)) / 2)
        right.hist(aspects, bins=24, range=(middle - half, middle + half), color="#1565c0")
    right.set(xlabel="width / height", ylabel="pictures")
    right.set_title("aspect", fontsize=10)
