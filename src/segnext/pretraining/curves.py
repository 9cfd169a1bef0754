"""The curves of a pre-training run as a PNG."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from segnext.figures import drawing
from segnext.training.curves import share_steps, smoothed
from segnext.training.log import Record, Series, read_log, series

CLOSE = 0.92  # of the top-5 accuracy, a top-1 whose name would lie over the other one
DARK, PALE, WARM = "#1f5fa8", "#a9c4e4", "#d1471f"


def draw_curves(log: Path, out: Path) -> None:
    """Draw loss, top-1 and top-5 accuracy and learning rate of a run's log.jsonl.

    Raises:
        SegNextError: when the log is missing or has no such line yet.
    """
    train, val = read_log(log)
    with drawing(out, (11, 6)) as figure:
        panels = figure.subplot_mosaic([["loss", "accuracy"], ["lr", "accuracy"]], height_ratios=[3, 2])
        figure.suptitle(_headline(train, val))
        _draw_loss(panels["loss"], series(train, "loss"), series(val, "loss"))
        _draw_accuracy(panels["accuracy"], series(val, "top1"), series(val, "top5"))
        rates = series(train, "lr")
        panels["lr"].plot(*rates, color=DARK, marker=_marker(rates), markersize=4)
        panels["lr"].set_title("learning rate", loc="left", fontsize=11)
        panels["lr"].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        share_steps(panels.values(), max(record["step"] for record in (*train, *val)))


def _headline(train: list[Record], val: list[Record]) -> str:
    parts = [f"step {train[-1]['step']:,}"] if train else []
    if val:
        best = max(val, key=lambda record: float(record["top1"]))
        parts.append(
            f"best val top-1 {100 * best['top1']:.2f} %, top-5 {100 * best['top5']:.2f} % at step {best['step']:,}"
        )
    _, seconds = series(train, "seconds_per_image")
    if seconds:
        parts.append(f"{1000 * float(np.median(seconds)):.3g} ms/image")
    return "   ·   ".join(parts)


def _draw_loss(axes: Axes, train: Series, val: Series) -> None:
    """The training loss, pale, and its mean over a twentieth of the run; the loss on val."""
    steps, values = train
    smooth = smoothed(values)
    if smooth is None:
        axes.plot(steps, values, color=DARK, marker=_marker(train), markersize=4, label="train")
    else:
        axes.plot(steps, values, color=PALE, linewidth=0.7, label="train")
        axes.plot(steps, smooth, color=DARK, label="train, smoothed")
    if val[0]:
        axes.plot(*val, color=WARM, marker="o", markersize=4, label="val")
    axes.set_title("loss", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=9)


def _marker(line: Series) -> str:
    """Dots where there are few points, of which a single one makes no line."""
    return "o" if len(line[0]) <= 30 else ""


def _draw_accuracy(axes: Axes, top1: Series, top5: Series) -> None:
    close = bool(top1[1] and top5[1]) and top1[1][-1] > CLOSE * top5[1][-1]
    for (steps, values), name, color, above in ((top5, "top-5", PALE, True), (top1, "top-1", DARK, not close)):
        if steps:
            shown = [100 * value for value in values]
            axes.plot(steps, shown, color=color, marker="o", markersize=4)
            end = (steps[-1], shown[-1])
            axes.annotate(
                f"{name}  {shown[-1]:.2f} %", end, (-4, 8 if above else -18), textcoords="offset points", ha="right"
            )
    axes.set_ylim(0, None)
    axes.margins(y=0.15)
    axes.set_title("val accuracy % (averaged weights)", loc="left", fontsize=11)
