"""The curves of a training run as a PNG."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from segnext.evaluation.chart import spread_apart
from segnext.figures import drawing
from segnext.training.log import Record, Series, class_series, read_log, series
from segnext.words import unpredicted

ACCURACIES = {"top1": "top-1", "top5": "top-5"}
FEW_LINES = 6  # classes, for which half of the height is enough
MOST_LINES = 20  # classes; with more, only the LOWEST_LINES worst are named and coloured
LOWEST_LINES = 8
MOST_BARS = 40  # classes, where there are bars instead
DARK_HUES = (
    "#1f5fa8",
    "#d1471f",
    "#2b8a3e",
    "#8a3ab9",
    "#b8860b",
    "#c2185b",
    "#0f8b8d",
    "#5c4033",
    "#444444",
)
STYLES = ("-", "--", ":")


def draw_curves(log: Path, out: Path) -> None:
    """Draw a run's log.jsonl as a PNG: loss, gradient norm, learning rate, and what val gave, class by class.

    Raises:
        SegNextError: when the log is missing or has no such line yet.
    """
    train, val = read_log(log)
    norms, mious = series(train, "grad_norm"), _percent(series(val, "miou"))
    accuracies = {name: series(val, key) for key, name in ACCURACIES.items()}
    lines = class_series(val) or {name: line for name, line in accuracies.items() if line[0]}
    few = len(lines) <= FEW_LINES
    there = [name for name, values in (("miou", mious[0]), ("norm", norms[0]), ("lr", [1])) if values]
    right = [name for name in there if few and (name == "miou" or not val)] + ["val"] * bool(val)
    left = ["loss", *(name for name in there if name not in right)]
    height = 5 if not val else 7 if few else 10
    with drawing(out, (13, height)) as figure:
        panels = figure.subplot_mosaic([[[[name] for name in side] for side in (left, right)]])  # two columns
        figure.suptitle(_headline(train, val))
        _draw_noisy(panels["loss"], series(train, "loss"), "training loss", series(val, "loss"))
        if mious[0]:
            _draw_best(panels["miou"], mious, "val mIoU %")
        if norms[0]:
            _draw_noisy(panels["norm"], norms, "gradient norm")
        _draw_line(panels["lr"], series(train, "lr"), "learning rate")
        panels["lr"].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        title = "val accuracy % (averaged weights)" if accuracies["top-1"][0] else "val IoU % per class"
        if len(val) == 1:
            _draw_bars(panels.pop("val"), lines, f"{title} at step {val[0]['step']:,}")
        elif val:
            _draw_named(panels["val"], {name: _percent(line) for name, line in lines.items()}, title)
        share_steps(panels.values(), max(record["step"] for record in (*train, *val)))


def share_steps(panels: Iterable[Axes], last: int) -> None:
    """Give the panels of a run of `last` steps the same axis of steps, and the same look."""
    for axes in panels:
        axes.set_xlim(0, max(last, 1) * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("step")
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)


def smoothed(values: Sequence[float]) -> NDArray[np.float64] | None:
    """The mean over a twentieth of the values around each one; None where they are too few."""
    window = len(values) // 40
    if window < 2:
        return None
    box = np.ones(2 * window + 1)
    sums, counts = (np.convolve(part, box)[window:-window] for part in (values, np.ones(len(values))))
    return np.asarray(sums / counts)


def _percent(line: Series) -> Series:
    return line[0], [100 * value for value in line[1]]


def _headline(train: Sequence[Record], val: Sequence[Record]) -> str:
    parts = []
    if train:
        parts.append(f"step {train[-1]['step']:,}")
    for key, name in {"miou": "mIoU", **ACCURACIES}.items():
        steps, values = _percent(series(val, key))
        if values:
            best = int(np.argmax(values))
            line = next(record for record in val if record["step"] == steps[best])
            never = unpredicted(line.get("never_predicted", ()))
            parts.append(f"best val {name} {values[best]:.2f} % at step {steps[best]:,}{never}")
    _, seconds = series(train, "seconds_per_image")
    if seconds:
        median = float(np.median(seconds))
        parts.append(f"{median:.2f} s/image" if median >= 1 else f"{1000 * median:.3g} ms/image")
    return "   ·   ".join(parts)


def _draw_line(axes: Axes, line: Series, title: str, **style: Any) -> None:
    """A line, with a dot on every point when there are few; a note when there is none."""
    axes.set_title(title, loc="left", fontsize=11)
    if not line[0]:
        axes.text(0.5, 0.5, "nothing logged yet", transform=axes.transAxes, ha="center", color="0.5")
        axes.set_yticks([])
        return
    marker = "o" if len(line[0]) <= 30 else ""
    axes.plot(*line, **{"color": DARK_HUES[0], "marker": marker, "markersize": 3.5, **style})


def _draw_noisy(axes: Axes, line: Series, title: str, val: Series = ([], [])) -> None:
    """A line of every step, smoothed where it is long; what val gave of the same in another colour."""
    smooth = smoothed(line[1])
    if val[0]:
        title += f" ({'dark: smoothed, ' if smooth is not None else ''}red: val)"
    elif smooth is not None:
        title += " (dark: smoothed)"
    _draw_line(axes, line, title, **({} if smooth is None else {"color": "#a9c4e4", "linewidth": 0.7}))
    if smooth is not None:
        axes.plot(line[0], smooth, color=DARK_HUES[0], linewidth=1.8)
    if val[0]:
        _draw_line(axes, val, title, color=DARK_HUES[1])


def _draw_best(axes: Axes, line: Series, title: str) -> None:
    """A line with a star at its highest value."""
    _draw_line(axes, line, title)
    steps, values = line
    best = int(np.argmax(values))
    axes.plot(steps[best], values[best], "*", color=DARK_HUES[1], markersize=13)
    axes.axhline(values[best], color=DARK_HUES[1], linewidth=0.8, linestyle=":")
    axes.margins(y=0.2)
    axes.annotate(
        f"best {values[best]:.2f} %",
        (steps[best], values[best]),
        (0, 8),
        textcoords="offset points",
        ha="right" if steps[best] > 0.8 * steps[-1] else "center",
        color=DARK_HUES[1],
    )


def _draw_bars(axes: Axes, lines: Mapping[str, Series], title: str) -> None:
    """A bar per class, the best on top, where one measurement makes no lines; of very many classes the lowest."""
    values = {name: 100 * line[1][0] for name, line in lines.items()}
    ranked = sorted(values, key=lambda name: values[name])
    if len(ranked) > MOST_BARS:
        ranked, title = ranked[:MOST_BARS], f"{title} (the {MOST_BARS} lowest of {len(ranked)})"
    if not ranked:
        _draw_line(axes, ([], []), title)
        return
    axes.set_title(title, loc="left", fontsize=11)
    bars = axes.barh(range(len(ranked)), [values[name] for name in ranked], 0.7, color=DARK_HUES[0])
    axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=9)
    axes.set_yticks(range(len(ranked)), ranked, fontsize=9)
    axes.set_ylim(min(0, len(ranked) - FEW_LINES) - 0.7, len(ranked) - 0.3)  # a few bars stay thin
    axes.set_xlim(0, 108)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_named(axes: Axes, lines: Mapping[str, Series], title: str) -> None:
    """A line per class, named at its right end, the best on top.

    Of more classes than can be told apart, the worst are named and the others stay grey.
    """
    ranked = sorted(lines, key=lambda name: lines[name][1][-1])
    named, others = ranked, []
    if len(ranked) > MOST_LINES:
        named, others = ranked[:LOWEST_LINES], ranked[LOWEST_LINES:]
        title += f" (named: the {LOWEST_LINES} lowest)"
    if not ranked:
        _draw_line(axes, ([], []), title)
        return
    for name in others:
        _draw_line(axes, lines[name], title, color="0.85", marker="", linewidth=0.8)
    heights = spread_apart([lines[name][1][-1] for name in named], gap=2.3 if len(lines) > FEW_LINES else 5.5, top=100)
    for index, (name, height) in enumerate(zip(named, heights, strict=True)):
        hue, style = DARK_HUES[index % len(DARK_HUES)], STYLES[index // len(DARK_HUES)]
        _draw_line(axes, lines[name], title, color=hue, linestyle=style)
        steps, values = lines[name]
        axes.annotate(
            f"{name}  {values[-1]:.0f}",
            (steps[-1], values[-1]),
            (1.03, height),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=9,
            color=hue,
            arrowprops={
                "arrowstyle": "-",
                "color": hue,
                "linewidth": 0.5,
                "shrinkA": 0,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
    axes.set_ylim(0, 100)
