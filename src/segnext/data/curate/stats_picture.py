"""The statistics of a data set as a picture."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from segnext.data.curate.stats import RGB, Stats, together
from segnext.data.sizes_chart import draw_sizes
from segnext.figures import drawing

ROW = 0.24  # inches: a class's bar
PAINTS = {"red": "#d1471f", "green": "#2b8a3e", "blue": "#1f5fa8"}
SMALLEST_SHARE = 1e-6  # where the logarithmic axis ends at the latest


def draw(stats: Mapping[str, Stats], title: str, out: Path) -> None:
    """Draw class shares, sizes and bands of the splits, which hold a picture at least, into the PNG `out`."""
    whole = together(list(stats.values()))
    height = max(5.2, 1.6 + ROW * int(np.count_nonzero(whole.pixels)))
    with drawing(out, (13, height)) as figure:
        rows = [3, 2.2] if height < 7 else [3, 2.2, height - 5.2]
        grid = figure.add_gridspec(len(rows), 2, width_ratios=[3, 2], height_ratios=rows)
        figure.suptitle(_headline(stats, title))
        _draw_classes(figure.add_subplot(grid[:, 0]), whole)
        sizes, bands = (figure.add_subplot(grid[row, 1]) for row in (0, 1))
        draw_sizes(sizes, whole.sizes)
        _draw_bands(bands, stats)


def _headline(stats: Mapping[str, Stats], title: str) -> str:
    return f"{title}: pictures in " + ", ".join(f"{split}: {part.count}" for split, part in stats.items())


def _draw_classes(axes: Axes, whole: Stats) -> None:
    """A bar for each class, the most frequent on top, on a logarithmic axis as classes differ by powers of ten."""
    shares = whole.shares()
    order = np.argsort(shares, kind="stable")[np.count_nonzero(shares == 0) :]
    rows = np.arange(len(order))
    present = shares[shares > 0]
    start = max(SMALLEST_SHARE, 10 ** np.floor(np.log10(present.min()) - 0.2)) if len(present) else SMALLEST_SHARE
    colors = [tuple(value / 255 for value in whole.labels.colors[label]) for label in order]
    axes.barh(rows, shares[order], color=colors, edgecolor="0.35", linewidth=0.6)
    axes.set_xscale("log")
    axes.set_xlim(start, start**-0.3)  # room for the numbers to the right of the bars
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = [x for x in 10.0 ** np.arange(-6, 1) if x >= start]
    axes.set_xticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
    axes.set_yticks(rows, [whole.labels.classes[label] for label in order])
    axes.set_ylim(-0.8, len(order) - 0.2)
    for row, label in zip(rows, order, strict=True):
        share, pictures = shares[label], int(whole.pictures[label])
        text = f"{100 * share:.3g} %, in {pictures} of {whole.count}"
        axes.annotate(text, (share, row), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    absent = len(shares) - len(order)
    axes.set_xlabel("logarithmic" + (f"; {absent} of {len(shares)} classes do not occur" if absent else ""))
    ignored = whole.ignored / max(1, whole.ignored + int(whole.pixels.sum()))
    axes.set_title(
        f"share of the labelled pixels ({100 * ignored:.3g} % are ignored), and pictures that hold the class"
    )
    axes.title.set_fontsize(10)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_bands(axes: Axes, stats: Mapping[str, Stats]) -> None:
    """Mean and standard deviation of each band, the splits side by side: they should agree."""
    whole = together(list(stats.values()))
    names = whole.names
    paints = [PAINTS.get(name.lower(), "#444444") for name in names]
    for place, (split, part) in enumerate(stats.items()):
        mean, deviation = part.bands()
        for band, (centre, spread) in enumerate(zip(mean, deviation, strict=True)):
            x = band + 0.22 * (place - (len(stats) - 1) / 2)
            axes.errorbar(x, centre, spread, fmt="o", markersize=5, capsize=4, color=paints[band])
            if len(stats) > 1:
                top = (x, centre + spread)
                axes.annotate(split, top, (0, 3), textcoords="offset points", ha="center", fontsize=7.5)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.margins(y=0.15)  # room for the names of the splits
    if names == RGB:
        axes.set_ylim(0, 270)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    units = "0 to 255" if names == RGB else "units of the data"
    axes.set_title(f"mean and standard deviation of the bands ({units})", fontsize=10)
    axes.grid(axis="y", color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
