"""Metrics for people: a table on the terminal and a picture of the confusion matrix."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from segnext.evaluation.metrics import Metrics, Ratios, mean
from segnext.figures import drawing
from segnext.words import listed, percent

CELL_TEXT_LIMIT = 40  # classes; with more, a percentage no longer fits its cell
DPI = 150
ABSENT = "-: left out of the mean: not in the masks (accuracy), never predicted (precision), neither (others)"
COLUMNS = {
    "iou": "IoU %",
    "accuracy": "accuracy %",
    "precision": "precision %",
    "dice": "Dice %",
    "boundary_iou": "boundary IoU %",
    "boundary_f": "boundary F %",
}
NARROW = {
    "accuracy %": "accu-\nracy %",
    "precision %": "preci-\nsion %",
    "boundary IoU %": "bound.\nIoU %",
    "boundary F %": "bound.\nF %",
}


def print_table(metrics: Metrics, console: Console) -> None:
    """Print the ratios of each class in %, its share of the pixels, the means, and a summary line."""
    table = Table()
    table.add_column("class", overflow="fold", min_width=6)
    columns = metrics.per_class()
    for name in (*(COLUMNS[name] for name in columns), "pixels\n%"):
        table.add_column(NARROW.get(name, name), justify="right", no_wrap=True)
    for name, *ratios in zip(metrics.classes, *columns.values(), metrics.shares, strict=True):
        table.add_row(escape(name), *map(_cell, ratios))
    table.add_section()
    table.add_row("mean", *(_cell(mean(ratios)) for ratios in columns.values()), style="bold")
    console.print(table)
    for line in left_out(metrics):
        console.print(line, highlight=False, markup=False)
    summary = (
        f"mIoU {percent(metrics.miou, 2)}, pixel accuracy {percent(metrics.pixel_accuracy, 2)}, "
        f"mean accuracy {percent(metrics.mean_accuracy, 2)}\n"
        f"images {metrics.images:,}, labelled pixels {metrics.pixels:,}"
    )
    console.print(summary, highlight=False)


def left_out(metrics: Metrics) -> list[str]:
    """What the means do not hold, for people: dashes, and classes that are never predicted."""
    lines = []
    if any(np.isnan(ratios).any() for ratios in metrics.per_class().values()):
        lines.append(ABSENT)
    if len(metrics.columns) > len(metrics.classes):
        lines.append(f"predicted as none of these classes, and so wrong: {percent(metrics.others, 2)} of the pixels")
    if missing := metrics.never_predicted:
        shares = dict(zip(metrics.classes, metrics.shares, strict=True))
        named = listed((f"{name} ({percent(shares[name], 2)} of the pixels)" for name in missing), 20)
        lines.append(
            f"never predicted, though in the masks: {named}; where their precision counts as 0, as elsewhere, the mean "
            f"precision is {percent(metrics.mean_precision_of_all, 2)}"
        )
    return lines


def confusion_picture(metrics: Metrics, path: Path) -> None:
    """Draw the row-normalised confusion matrix as a PNG: what the pixels of each true class became.

    The colour scale is stretched near 0 %, so that rare confusions show too. Multi-label classes, which are not
    confused with each other, are drawn as bars: pixels found, missed, and wrongly claimed.
    """
    if metrics.multi_label:
        class_bars(metrics, path)
        return
    share = _row_shares(metrics)
    count = len(metrics.classes)
    cell = float(np.clip(12 / count, 0.12, 0.55))  # inches
    side, width = (max(cell * number, 2.2) for number in share.shape)
    with drawing(path, (width, side), DPI, layout=None, bbox_inches="tight", pad_inches=0.15) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        image = axes.imshow(100 * share, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="nearest")
        axes.set_facecolor("0.88")  # shows through in the rows of classes that never occur
        _label_axes(axes, metrics, size=min(10.0, cell * 43))
        if count <= CELL_TEXT_LIMIT:
            _write_cells(axes, share, size=min(9.0, cell * 22))
        bar = figure.colorbar(image, cax=figure.add_axes((1 + 0.15 / width, 0, 0.2 / width, 1)))
        bar.set_ticks([0, 1, 5, 10, 20, 40, 60, 80, 100])
        bar.set_label("% of the true class's pixels")
        axes.set_title(
            f"mIoU {percent(metrics.miou, 2)}\npixel accuracy {percent(metrics.pixel_accuracy, 2)}", loc="left"
        )


def class_bars(metrics: Metrics, path: Path) -> None:
    """Draw for each multi-label class what share of its true and predicted pixels is right, missed and false."""
    absent_present = metrics.confusion.astype(np.float64)
    found, missed, false = absent_present[:, 1, 1], absent_present[:, 1, 0], absent_present[:, 0, 1]
    union = np.maximum(found + missed + false, 1)
    count = len(metrics.classes)
    with drawing(path, (8, 1.3 + 0.34 * count), DPI) as figure:
        axes = figure.add_subplot()
        positions, left = np.arange(count), np.zeros(count)
        parts = (("right (IoU)", found, "#2f6db3"), ("missed", missed, "#e0a33a"), ("false", false, "#c8442c"))
        for name, pixels, color in parts:
            width = 100 * pixels / union
            axes.barh(positions, width, left=left, height=0.7, color=color, label=name)
            left = left + width
        for position, iou in enumerate(metrics.iou):
            known = not np.isnan(iou)
            axes.text(101, position, f"{100 * iou:.1f}" if known else "nowhere", va="center", fontsize=9)
        axes.set_yticks(positions, metrics.classes)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of the pixels that are of the class or predicted as it")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(f"mIoU {percent(metrics.miou, 2)}", loc="left")
        figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)


def _row_shares(metrics: Metrics) -> Ratios:
    """The confusion matrix with rows divided by their sums; NaN rows for classes absent from truth."""
    totals = metrics.confusion.sum(1, keepdims=True)
    shape = metrics.confusion.shape
    shares: Ratios = np.divide(metrics.confusion, totals, out=np.full(shape, np.nan), where=totals > 0)
    return shares


def _label_axes(axes: Axes, metrics: Metrics, size: float) -> None:
    rows, columns = metrics.classes, metrics.columns
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=size)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    if len(rows) <= CELL_TEXT_LIMIT:
        axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
        axes.grid(which="minor", color="0.85", linewidth=0.4)
        axes.tick_params(which="minor", length=0)


def _write_cells(axes: Axes, share: Ratios, size: float) -> None:
    """Write percentages; shares that round to 0 stay empty, so that the confusions stand out."""
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.005:
            color = "white" if value > 0.35 else "black"
            axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=size, color=color)


def _cell(ratio: float) -> str:
    return percent(ratio, 2, "")
