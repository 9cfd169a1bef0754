"""The trials for people, as a page with a picture, and for programs."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from segnext.figures import drawing
from segnext.pages import data_uri, write_page
from segnext.plain import write_json
from segnext.tuning.space import Range, Space
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
            entry = space.get(name)
            log = isinstance(entry, Range) and entry.log
            for state, color in (("pruned", PRUNED), ("complete", DONE)):
                chosen = [trial for trial in shown if trial.state == state]
                places = [trial.number if entry is None else trial.settings[name] for trial in chosen]
                if entry is not None and not isinstance(entry, Range):
                    places = [str(place) for place in places]
                axes.scatter(places, [100 * (trial.miou or 0.0) for trial in chosen], 22, color=color, label=state)
            axes.set_xscale("log" if log and shown else axes.get_xscale())
            axes.set_title(f"{name} (log scale)" if log else name, loc="left", fontsize=10)
            axes.grid(color="0.92")
            axes.spines[["top", "right"]].set_visible(False)
        for axes in panels[1 + len(space) :]:
            axes.set_visible(False)
        panels[0].set_ylabel("best mIoU on val, %")
        panels[0].legend(frameon=False, fontsize=9)


def _plain(trial: Trial) -> dict[str, Any]:
    return {**vars(trial), "folder": trial.folder.name}
