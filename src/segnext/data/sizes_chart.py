"""How large pictures are: a dot for each size, as large as many of them have it."""

from collections import Counter

import numpy as np
from matplotlib.axes import Axes

COUNTED = 8  # sizes, the most frequent ones, whose pictures are counted beside their dots


def draw_sizes(axes: Axes, sizes: Counter[tuple[int, int]]) -> None:
    """Draw dots at (width, height) whose areas grow with the number of pictures, those of the largest counted.

    Args:
        axes: to draw in.
        sizes: pictures of each (height, width).
    """
    axes.set(xlabel="width (pixels)", ylabel="height (pixels)")
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if not sizes:
        axes.set_title("no picture could be read", fontsize=10)
        return
    counts = np.array(list(sizes.values()), float)
    heights, widths = np.array(list(sizes), float).reshape(-1, 2).T
    area = 20 + 280 * counts / counts.max()
    axes.scatter(widths, heights, area, color="#1f5fa8", alpha=0.55, edgecolor="white", linewidth=0.6)
    for (height, width), count in sizes.most_common(COUNTED if len(sizes) > 1 else 0):
        if count > 1:
            axes.annotate(f"{count:,}", (width, height), (10, 4), textcoords="offset points", fontsize=8, color="0.3")
    (height, width), count = sizes.most_common(1)[0]
    often = "all pictures" if len(sizes) == 1 else f"{len(sizes)} picture sizes, most often"
    axes.set_title(f"{often} {width} x {height}{f' ({count:,})' if len(sizes) > 1 else ''}", fontsize=10)
    axes.set_xlim(0, 1.2 * max(widths))
    axes.set_ylim(0, 1.25 * max(heights))
