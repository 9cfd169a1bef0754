"""Line charts as numbers: where a page's SVG has its lines, ticks and names. No drawing library, no colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

WIDTH = 480  # of the drawing, in its own units, as all that follows
LEFT, TOP, BOTTOM = 50, 8, 24  # room for the ticks
NAMES = 124  # room for the lines' names at the right
GAP = 13  # between names
MOST_POINTS = 300  # of a line; of more, means of equally many are drawn, with the range they span
MOST_NAMED = 20  # lines; of more, the LOWEST are named
LOWEST = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """Values (y) over steps (x), at least one; `name` is written at its end where there are several lines."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Path:
    """A line on the drawing.

    Attributes:
        name: of the line.
        points: for an SVG polyline.
        band: for an SVG polygon, the range that the points are means of; "" where they are the values themselves.
        last: the last value.
        end: where the line ends, (x, y).
        label: height of its name; None where it is not named.
        number: tells its hue.
    """

    name: str
    points: str
    band: str
    last: float
    end: tuple[float, float]
    label: float | None
    number: int


@dataclass(frozen=True)
class Chart:
    """A drawing: ticks as (position, text) and lines.

    `x_range` and `y_range` are what the plotting area spans, for reading values off; `log` is that of the y axis.
    """

    title: str
    height: float
    right: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log: bool
    unit: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    paths: list[Path]

    width: int = WIDTH
    left: int = LEFT
    top: int = TOP

    @property
    def bottom(self) -> float:
        """The lower edge of the plotting area."""
        return self.height - BOTTOM


def chart(title: str, lines: Sequence[Line], *, height: float = 190, unit: str = "", log: bool = False) -> Chart:
    """Lay out lines over one axis of steps; values are drawn as they are, or on a logarithmic axis.

    Raises:
        ValueError: when there is no line, or a logarithmic one has a value of zero or less.
    """
    low, high = _limits([value for line in lines for value in line.values], log)
    last = max(max(line.steps) for line in lines) or 1
    named = len(lines) > 1
    right = WIDTH - (NAMES if named else 22)

    def x(steps: Sequence[float] | Floats) -> Floats:
        return np.asarray(LEFT + (right - LEFT) * np.asarray(steps, np.float64) / last)

    def y(values: Sequence[float] | Floats) -> Floats:
        scaled = np.log10(values) if log else np.asarray(values, np.float64)
        bottom, top = (np.log10([low, high])) if log else (low, high)
        return np.asarray(height - BOTTOM - (height - BOTTOM - TOP) * (scaled - bottom) / (top - bottom))

    heights = _names([float(y([line.values[-1]])[0]) for line in lines], height) if named else {}
    paths = []
    for number, line in enumerate(lines):
        steps, mean, least, most = _thinned(line)
        points = _points(x(steps), y(mean))
        band = "" if least is mean else _points(np.r_[x(steps), x(steps)[::-1]], np.r_[y(least), y(most)[::-1]])
        end = float(x([line.steps[-1]])[0]), float(y([line.values[-1]])[0])
        paths.append(Path(line.name, points, band, line.values[-1], end, heights.get(number), number))
    x_ticks = [tick for tick in MaxNLocator(5, integer=True).tick_values(0, last) if 0 <= tick <= last]
    y_ticks = _y_ticks(low, high, log)
    return Chart(
        f"{title}, logarithmic" if log else title,
        height,
        right,
        (0, last),
        (low, high),
        log,
        unit,
        [(float(x([tick])[0]), f"{tick:,.0f}") for tick in x_ticks],
        [(float(y([tick])[0]), _tick(tick)) for tick in y_ticks],
        paths,
    )


def _limits(values: Sequence[float], log: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if log:
        if low <= 0:
            raise ValueError(f"a logarithmic axis has no place for {low}")
        return low / 1.15, high * 1.15
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return (0.0 if 0 <= low <= 0.5 * high else low - room), high + room


def _y_ticks(low: float, high: float, log: bool) -> list[float]:
    locator = LogLocator(subs=(1, 2, 5)) if log and high < 1000 * low else LogLocator() if log else MaxNLocator(5)
    ticks = [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]
    if len(ticks) < 2:  # of a logarithmic axis over less than a decade
        ticks = [float(tick) for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    return ticks


def _tick(value: float) -> str:
    """In few characters: 0.25, 2.5e-4."""
    text = f"{value:g}"
    if len(text) <= 6:
        return text
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


def _thinned(line: Line) -> tuple[Floats, Floats, Floats, Floats]:
    """Steps, means, and the range of the values that each point stands for."""
    steps, values = np.asarray(line.steps, np.float64), np.asarray(line.values, np.float64)
    if len(values) <= MOST_POINTS:
        return steps, values, values, values
    edges = np.linspace(0, len(values), MOST_POINTS + 1).round().astype(int)
    parts = [(steps[a:b], values[a:b]) for a, b in pairwise(edges)]
    columns = [(at.mean(), part.mean(), part.min(), part.max()) for at, part in parts]
    middle, mean, least, most = np.array(columns).T
    return middle, mean, least, most


def _names(ends: Sequence[float], height: float) -> dict[int, float]:
    """Heights of the lines' names, which do not touch: of all lines, or of the lowest where there are many."""
    order = sorted(range(len(ends)), key=lambda index: -ends[index])  # y grows downwards: the lowest first
    if len(order) > MOST_NAMED:
        order = order[:LOWEST]
    spread = spread_apart([-ends[index] for index in order], GAP, -TOP - 4.0)
    return {index: -place for index, place in zip(order, spread, strict=True)}


def spread_apart(heights: Sequence[float], gap: float, top: float) -> list[float]:
    """Move ascending heights apart until they are `gap` from each other and at most `top`."""
    spread: list[float] = []
    for height in heights:
        spread.append(max(height, spread[-1] + gap) if spread else height)
    limit = top
    for index in reversed(range(len(spread))):
        spread[index] = min(spread[index], limit)
        limit = spread[index] - gap
    return spread


def _points(x: Floats, y: Floats) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
