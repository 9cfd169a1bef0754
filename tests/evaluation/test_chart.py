"""Charts as numbers."""

from itertools import pairwise

import pytest

from segnext.evaluation.chart import BOTTOM, GAP, LEFT, MOST_POINTS, NAMES, TOP, WIDTH, Line, chart, spread_apart


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_a_line_spans_the_plotting_area() -> None:
    drawn = chart("loss", [Line("loss", [0, 50, 100], [0.0, 1.0, 1.0])], height=190)
    (path,) = drawn.paths
    assert drawn.x_range == (0, 100)
    assert drawn.y_range == (0.0, 1.06)  # from 0, and 6 % of the range above the highest value
    (x0, y0), (x1, y1), (x2, _) = points(path.points)
    assert (x0, y0) == (LEFT, 190 - BOTTOM)
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y1 == pytest.approx(190 - BOTTOM - (190 - BOTTOM - TOP) / 1.06, abs=0.1)
    assert path.label is None
    assert [text for _, text in drawn.x_ticks] == ["0", "20", "40", "60", "80", "100"]


def test_a_logarithmic_axis_has_equal_steps_for_equal_ratios() -> None:
    drawn = chart("norm", [Line("norm", [1, 2, 3], [1.0, 10.0, 100.0])], log=True)
    first, second, third = (y for _, y in points(drawn.paths[0].points))
    assert first - second == pytest.approx(second - third, abs=0.15)
    assert {"1", "10", "100"} <= {text for _, text in drawn.y_ticks}
    with pytest.raises(ValueError, match="no place for 0"):
        chart("norm", [Line("norm", [1], [0.0])], log=True)


def test_long_lines_are_means_within_their_range() -> None:
    steps = list(range(10 * MOST_POINTS))
    (path,) = chart("loss", [Line("loss", steps, [float(step % 10) for step in steps])]).paths
    assert len(points(path.points)) == MOST_POINTS
    assert len({y for _, y in points(path.points)}) == 1  # each mean is 4.5
    assert len({y for _, y in points(path.band)}) == 2  # from 0 to 9
    assert len(points(path.band)) == 2 * MOST_POINTS


def test_several_lines_are_named_beside_their_ends() -> None:
    lines = [Line(f"class {i}", [1, 2], [0.0, 50.0 + i / 10]) for i in range(3)]
    drawn = chart("IoU", lines, height=400)
    labels = [path.label for path in drawn.paths]
    assert None not in labels
    assert labels == sorted(labels, key=lambda y: -(y or 0))
    assert [(a or 0) - (b or 0) for a, b in pairwise(labels)] == pytest.approx([GAP, GAP])
    assert drawn.right == WIDTH - NAMES


def test_of_many_lines_the_lowest_are_named() -> None:
    drawn = chart("IoU", [Line(f"class {i}", [1, 2], [0.0, float(i)]) for i in range(150)], height=400)
    assert [path.name for path in drawn.paths if path.label is not None] == [f"class {i}" for i in range(10)]


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0, 1e-6])
def test_a_single_value_has_room_around_it(value: float) -> None:
    low, high = chart("loss", [Line("loss", [10], [value])]).y_range
    assert low <= value < high


def test_labels_are_spread_apart() -> None:
    assert spread_apart([0, 1, 50], gap=5, top=100) == [0, 5, 50]
    assert spread_apart([97, 98, 99], gap=5, top=100) == [90, 95, 100]


def test_zeros_alone_begin_at_zero() -> None:
    assert chart("mIoU", [Line("mIoU", [1, 2], [0.0, 0.0])]).y_range == (0.0, 1.0)


def test_a_logarithmic_axis_of_little_range_has_ticks_too() -> None:
    found = chart("norm", [Line("norm", [1, 2], [0.6, 1.5])], log=True)
    assert [text for _, text in found.y_ticks] == ["0.8", "1.2", "1.6"]
