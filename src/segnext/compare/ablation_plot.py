"""The ablation as a picture: how far each network is from the full one, here and in the paper."""

import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes

from segnext.compare.ablation import Outcome
from segnext.compare.ablation_table import TITLES, Line, lines
from segnext.figures import drawing

DPI = 130
OURS, PAPER = "#1f5fa8", "#d1471f"
ROW, MARGIN = 0.34, 1.5  # inches: height of a line, of what is around a group's lines


def draw(outcomes: Mapping[str, Outcome], caption: str, out: Path) -> None:
    """Draw a panel for each group as a PNG: differences in mIoU on the left, multiply-adds on the right.

    Seeds' spread is a horizontal bar; the paper's differences, on another data set, are hollow.
    """
    groups = [(group, [line for line in found if line.outcome.mious]) for group, found in lines(outcomes)]
    if not groups:
        return
    heights = [ROW * len(found) + 0.75 for _, found in groups]
    with drawing(out, (11, sum(heights) + MARGIN), DPI) as figure:
        panels = figure.subplots(
            len(groups), 2, width_ratios=(3, 1), height_ratios=heights, squeeze=False, sharey="row"
        )
        for (group, found), (left, right) in zip(groups, panels, strict=True):
            _differences(left, found)
            left.set_title(TITLES[group], loc="left", fontsize=11)
            _operations(right, found)
        panels[-1][0].set_xlabel("mIoU minus the full network's, points")
        panels[-1][1].set_xlabel("multiply-adds, G\n(512 x 512)")
        handles, names = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False)
        figure.suptitle(f"{caption}; beside the names: val mIoU %", x=0.01, ha="left", fontsize=10)


def _differences(axes: Axes, found: list[Line]) -> None:
    places = range(len(found))
    axes.axvline(0, color="0.6", linewidth=0.8)
    spreads = [0.0 if math.isnan(line.spread) else line.spread for line in found]
    ours = [line.gain for line in found]
    axes.errorbar(ours, places, xerr=spreads, fmt="o", color=OURS, capsize=3, label="here")
    known = [(line.paper_gain, place) for place, line in enumerate(found) if line.paper_gain]
    if known:
        gains, rows = zip(*known, strict=True)
        axes.plot(gains, rows, "D", markerfacecolor="none", markeredgecolor=PAPER, label="paper, ADE20K")
    axes.set_yticks(places, [f"{line.row.title}   {line.miou:.2f}" for line in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.grid(axis="x", color="0.92")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _operations(axes: Axes, found: list[Line]) -> None:
    giga = [line.outcome.operations / 1e9 for line in found]
    axes.barh(range(len(found)), giga, height=0.55, color="0.8")
    for place, value in enumerate(giga):
        axes.text(value, place, f" {value:.1f}", va="center", fontsize=9)
    axes.set_xlim(0, 1.25 * max(giga, default=1.0))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0, labelleft=False)
