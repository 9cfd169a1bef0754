"""The trials for people, as a page with a picture, and for programs."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from segnext.figures import drawing
from segnext.pages import data_uri, write_page
from segnext.plain import write_json
from segnext.tuning.space import Choice, Range, Space
from segnext.tuning.study import Trial
from segnext.words import counted, percent

ACROSS = 3  # panels in a row
DONE, PRUNED = "#1f5fa8", "#a9c4e4"


def write(trials: Sequence[Trial], space: Space, title: str, out: Path) -> None:
    """Write OUT/tune.html and OUT/tune.json of the trials, the best first; OSError when they cannot be written."""
    buffer = io.BytesIO()
    draw(trials, space, buffer)
    pruned, failed = (sum(trial.state == state for trial in trials) for state in ("pruned", "failed"))
    write_page(
        out / "tune.html",
        "tune.html",
        {"percent": lambda ratio: "" if ratio is None else percent(ratio, 2)},
        title=title,
        said=f"{counted(len(trials), 'trial')}, {pruned} of them pruned and {failed} failed",
        names=list(space),
        trials=trials,
        picture=data_uri(buffer.getvalue(), "png"),
    )
    write_json([_plain(trial) for trial in trials], out / "tune.json")


def draw(trials: Sequence[Trial], space: Space, out: Path | BinaryIO) -> None:
    """Draw mIoU in the order of the trials, and over each setting."""
    shown = [trial for trial in trials if trial.miou is not None]
    rows = -(-(1 + len(space)) // ACROSS)
    with drawing(out, (4.2 * ACROSS, 3.4 * rows)) as figure:
        panels = figure.subplots(rows, ACROSS, squeeze=False, sharey=True).ravel()
        for axes, name in zip(panels, ("trial", *space), strict=False):
            for state, color in (("pruned", PRUNED), ("complete", DONE)):
                chosen = [trial for trial in shown if trial.state == state]
                places = [_place(trial, name, space) for trial in chosen]
                axes.scatter(places, [100 * (trial.miou or 0.0) for trial in chosen], 22, color=color, label=state)
            _label(axes, name, space.get(name))
        for axes in panels[1 + len(space) :]:
            axes.set_visible(False)
        panels[0].set_ylabel("best mIoU on val, %")
        panels[0].legend(frameon=False, fontsize=9)


def _place(trial: Trial, name: str, space: Space) -> float:
    """Where a trial stands on the axis of a setting, or of the trials."""
    entry = space.get(name)
    if entry is None:
        return trial.number
    value = trial.settings[name]
    return float(value) if isinstance(entry, Range) else _texts(entry).index(json.dumps(value))


def _texts(entry: Choice) -> list[str]:
    return [json.dumps(value) for value in entry.values]


def _label(axes: Axes, name: str, entry: Choice | Range | None) -> None:
    title = name
    if isinstance(entry, Choice):
        axes.set_xticks(range(len(entry.values)), _texts(entry))
        axes.margins(x=0.2)
    elif entry is not None and entry.log:
        title += " (log scale)"
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=entry is None))
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _plain(trial: Trial) -> dict[str, Any]:
    return {**vars(trial), "folder": trial.folder.name}
