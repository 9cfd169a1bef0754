"""Pictures of a training run: its curves, and val images beside truth and prediction."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.preprocess import Image

Record = dict[str, Any]  # one line of the log
Series = tuple[list[float], list[float]]  # steps, values
Mask = NDArray[np.uint8]  # H x W labels
Item = tuple[Image, Mask, Mask]  # photo, truth, prediction

DPI = 120
COLUMN, GAP, TITLE = 3.2, 0.06, 0.32  # inches: width of a picture, space between pictures, height of the titles
MOST_LINES = 20  # classes; with more, only the LOWEST_LINES worst are named and coloured
LOWEST_LINES = 8
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


def curves(log: Path, out: Path) -> None:
    """Draw loss, learning rate, val mIoU and per-class IoU of a JSON-lines training log as a PNG.

    Lines of kind "train" have step, loss, lr, seconds_per_image; lines of kind "val" have step, miou and iou
    per class (0..1). A step that a resumed run logged again counts once, as last written.

    Raises:
        SegNextError: when the log is missing or has no such line yet.
    """
    train, val = _read_log(log)
    figure = Figure(figsize=(13, 8), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic(
        [["loss", "classes"], ["miou", "classes"], ["lr", "classes"]], height_ratios=[3, 3, 2]
    )
    figure.suptitle(_headline(train, val))
    _draw_loss(panels["loss"], _series(train, "loss"))
    _draw_miou(panels["miou"], _series(val, "miou"))
    _draw_line(panels["lr"], _series(train, "lr"), "learning rate")
    panels["lr"].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    _draw_classes(panels["classes"], val)
    last = max(record["step"] for record in (*train, *val))
    for axes in panels.values():
        axes.set_xlim(0, max(last, 1) * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("step")
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, out)


def examples(items: Sequence[Item], labels: Labels, out: Path) -> None:
    """Draw rows of photo, truth, prediction and errors as a PNG, with the legend of the classes in them.

    Args:
        items: (photo H x W x 3, truth H x W, prediction H x W); each row may have its own size. Multi-label truth and
            prediction are classes x H x W.
        labels: names, colours and the label to ignore, which counts neither right nor wrong.
        out: the PNG.
    """
    heights = [COLUMN * float(np.clip(photo.shape[0] / photo.shape[1], 0.3, 2.0)) for photo, _, _ in items]
    width = 4 * COLUMN + 5 * GAP
    handles = _legend(items, labels)
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, int(width / (0.6 + 0.085 * longest)))
    legend = 0.15 + 0.24 * -(-len(handles) // columns)
    height = TITLE + sum(heights) + GAP * len(items) + legend
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    for index, title in enumerate(("photo", "truth", "prediction", "errors (red), ignored (dark)")):
        center = GAP + index * (COLUMN + GAP) + COLUMN / 2
        figure.text(center / width, 1 - TITLE / 2 / height, title, ha="center", va="center")
    bottom = height - TITLE
    for item, row_height in zip(items, heights, strict=True):
        bottom -= row_height
        _draw_row(figure, item, labels, bottom, row_height)
        bottom -= GAP
    figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=9)
    _save(figure, out)


def _read_log(log: Path) -> tuple[list[Record], list[Record]]:
    """Train and val records by step. Lines torn by a crash are left out."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise SegNextError(f"{log}: cannot read the training log ({error.strerror}); give a run's log") from error
    found: dict[str, dict[int, Record]] = {"train": {}, "val": {}}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("kind") in found and "step" in record:
            found[record["kind"]][record["step"]] = record
    train, val = ([steps[step] for step in sorted(steps)] for steps in found.values())
    if not train and not val:
        raise SegNextError(f"{log}: holds no train or val line yet; draw it again once training has begun")
    return train, val


def _series(records: Sequence[Record], key: str) -> Series:
    """Steps and values of the records that have a finite number there."""
    pairs = [(record["step"], record[key]) for record in records if record.get(key) is not None]
    pairs = [(step, value) for step, value in pairs if math.isfinite(value)]
    return [step for step, _ in pairs], [value for _, value in pairs]


def _percent(series: Series) -> Series:
    return series[0], [100 * value for value in series[1]]


def _headline(train: Sequence[Record], val: Sequence[Record]) -> str:
    parts = []
    if train:
        parts.append(f"step {train[-1]['step']:,}")
    steps, values = _percent(_series(val, "miou"))
    if values:
        best = int(np.argmax(values))
        parts.append(f"best val mIoU {values[best]:.1f} % at step {steps[best]:,}")
    _, seconds = _series(train, "seconds_per_image")
    if seconds:
        parts.append(f"{np.median(seconds):.3f} s/image")
    return "   ·   ".join(parts)


def _draw_line(axes: Axes, series: Series, title: str, **style: Any) -> None:
    """A line, with a dot on every point when there are few; a note when there is none."""
    axes.set_title(title, loc="left", fontsize=11)
    if not series[0]:
        axes.text(0.5, 0.5, "nothing logged yet", transform=axes.transAxes, ha="center", color="0.5")
        axes.set_yticks([])
        return
    marker = "o" if len(series[0]) <= 30 else ""
    axes.plot(*series, **{"color": DARK_HUES[0], "marker": marker, "markersize": 3.5, **style})


def _draw_loss(axes: Axes, series: Series) -> None:
    steps, values = series
    window = len(values) // 40
    if window < 2:
        _draw_line(axes, series, "training loss")
        return
    _draw_line(axes, series, "training loss (dark: smoothed)", color="#a9c4e4", linewidth=0.7)
    box = np.ones(2 * window + 1)
    smooth = np.convolve(values, box)[window:-window] / np.convolve(np.ones(len(values)), box)[window:-window]
    axes.plot(steps, smooth, color=DARK_HUES[0], linewidth=1.8)


def _draw_miou(axes: Axes, series: Series) -> None:
    steps, values = _percent(series)
    _draw_line(axes, (steps, values), "val mIoU %")
    if values:
        best = int(np.argmax(values))
        axes.plot(steps[best], values[best], "*", color=DARK_HUES[1], markersize=13)
        axes.axhline(values[best], color=DARK_HUES[1], linewidth=0.8, linestyle=":")
        axes.margins(y=0.2)
        axes.annotate(
            f"best {values[best]:.1f}",
            (steps[best], values[best]),
            (0, 8),
            textcoords="offset points",
            ha="right" if steps[best] > 0.8 * steps[-1] else "center",
            color=DARK_HUES[1],
        )


def _draw_classes(axes: Axes, val: Sequence[Record]) -> None:
    """A line per class, named at its right end, the best on top.

    Of more classes than can be told apart, the worst are named and the others stay grey.
    """
    ious = [{"step": record["step"], **record.get("iou", {})} for record in val]
    names = {name: None for record in ious for name in record if name != "step"}
    lines = {name: _percent(_series(ious, name)) for name in names}
    lines = {name: line for name, line in lines.items() if line[0]}
    ranked = sorted(lines, key=lambda name: lines[name][1][-1])
    title = "val IoU % per class"
    named, others = ranked, []
    if len(ranked) > MOST_LINES:
        named, others = ranked[:LOWEST_LINES], ranked[LOWEST_LINES:]
        title += f" (named: the {LOWEST_LINES} lowest)"
    if not ranked:
        _draw_line(axes, ([], []), title)
        return
    for name in others:
        _draw_line(axes, lines[name], title, color="0.85", marker="", linewidth=0.8)
    heights = _spread([lines[name][1][-1] for name in named], gap=2.3, top=100)
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


def _spread(heights: Sequence[float], gap: float, top: float) -> list[float]:
    """Move ascending heights apart until they are `gap` from each other and at most `top`."""
    spread: list[float] = []
    for height in heights:
        spread.append(max(height, spread[-1] + gap) if spread else height)
    limit = top
    for index in reversed(range(len(spread))):
        spread[index] = min(spread[index], limit)
        limit = spread[index] - gap
    return spread


def _draw_row(figure: Figure, item: Item, labels: Labels, bottom: float, row_height: float) -> None:
    """Photo, truth, prediction and errors side by side, `bottom` inches above the figure's lower edge."""
    photo, truth, prediction = item
    painted = (photo, _paint(truth, labels), _paint(prediction, labels), _errors(item, labels))
    width, height = figure.get_size_inches()
    for index, picture in enumerate(painted):
        left = GAP + index * (COLUMN + GAP)
        axes = figure.add_axes((left / width, bottom / height, COLUMN / width, row_height / height))
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color="0.7", linewidth=0.5)
    wrong, ignored = _mistakes(truth, prediction, labels.ignore)
    right = f"{100 * (1 - wrong.sum() / (~ignored).sum()):.1f} % right" if not ignored.all() else "all ignored"
    box = {"facecolor": "black", "alpha": 0.65, "linewidth": 0, "boxstyle": "square,pad=0.3"}
    axes.text(0.02, 0.03, right, transform=axes.transAxes, color="white", fontsize=10, bbox=box)


def _paint(mask: Mask, labels: Labels) -> Image:
    """H x W labels -> H x W x 3 in the classes' colours; white where ignored.

    Of multi-label masks, classes x H x W, colours are mixed where several classes are, and black where none is.
    """
    if mask.ndim == 3:
        present = mask == 1
        total = np.einsum("chw,cd->hwd", present.astype(np.float32), np.asarray(labels.colors, np.float32))
        mixed = total / np.maximum(present.sum(0), 1)[..., None]
        mixed[mask[0] == labels.ignore] = 255
        return np.asarray(mixed, np.uint8)
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(labels)] = labels.colors
    painted: Image = palette[mask]
    return painted


def _errors(item: Item, labels: Labels) -> Image:
    """The photo in pale grey, wrong pixels red, ignored ones dark."""
    photo, truth, prediction = item
    grey = photo.mean(2, keepdims=True).repeat(3, 2)
    picture = 0.5 * grey + 110
    wrong, ignored = _mistakes(truth, prediction, labels.ignore)
    picture[wrong] = 0.3 * grey[wrong] + 0.7 * np.array([235, 20, 20])
    picture[ignored] = 0.25 * grey[ignored]
    errors: Image = picture.astype(np.uint8)
    return errors


def _mistakes(truth: Mask, prediction: Mask, ignore: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the labels, or that of any class, are wrong, and where they are ignored; both H x W."""
    if truth.ndim == 3:
        ignored = truth[0] == ignore
        return (truth != prediction).any(0) & ~ignored, ignored
    ignored = truth == ignore
    return (truth != prediction) & ~ignored, ignored


def _present(mask: Mask, labels: Labels) -> set[int]:
    """The labels in a mask."""
    if mask.ndim == 2:
        return set(np.unique(mask).tolist())
    ignored = {labels.ignore} if (mask[0] == labels.ignore).any() else set[int]()
    return ignored | {label for label, plane in enumerate(mask) if (plane == 1).any()}


def _legend(items: Sequence[Item], labels: Labels) -> list[Patch]:
    """A patch for each class in the truths and predictions, and one for ignored pixels."""
    present = {label for _, *masks in items for mask in masks for label in _present(mask, labels)}
    handles = [
        Patch(facecolor="#{:02x}{:02x}{:02x}".format(*color), edgecolor="0.3", linewidth=0.5, label=name)
        for label, (name, color) in enumerate(zip(labels.classes, labels.colors, strict=True))
        if label in present
    ]
    if labels.ignore in present:
        handles.append(Patch(facecolor="white", edgecolor="0.3", linewidth=0.5, label="ignored"))
    return handles


def _save(figure: Figure, out: Path) -> None:
    with replacing(out) as temporary:
        figure.savefig(temporary, format="png")
