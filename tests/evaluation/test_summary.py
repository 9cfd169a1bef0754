"""The table and the confusion-matrix picture."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from segnext.evaluation.metrics import Metrics
from segnext.evaluation.summary import confusion_picture, print_table


def table(metrics: Metrics) -> str:
    out = io.StringIO()
    print_table(metrics, Console(file=out, width=80))
    return out.getvalue()


def row(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if name in line)
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_table_has_a_row_per_class_and_the_means() -> None:
    matrix = np.array([[6, 2, 0], [0, 3, 1], [1, 0, 2]], np.int64)
    text = table(Metrics(matrix, ("sky", "[b]road", "car"), 1))
    assert row(text, "sky") == ["sky", "66.67", "75.00", "85.71", "80.00", "53.33"]
    assert row(text, "road")[0] == "[b]road"
    assert row(text, "mean")[:4] == ["mean", "55.56", "72.22", "70.79"]
    assert "mIoU 55.56 %, pixel accuracy 73.33 %, mean accuracy 72.22 %" in text
    assert "left out of the mean" not in text


def test_table_marks_and_explains_absent_classes() -> None:
    text = table(Metrics(np.array([[3, 0], [0, 0]], np.int64), ("sky", "car"), 1))
    assert row(text, "car") == ["car", "-", "-", "-", "-", "0.00"]
    assert "-: left out of the mean: not in the masks (accuracy), never predicted (precision)" in " ".join(text.split())


def test_classes_that_are_never_predicted_are_named() -> None:
    text = " ".join(table(Metrics(np.array([[6, 0], [2, 0]], np.int64), ("sky", "car"), 1)).split())
    assert (
        "never predicted, though in the masks: car (25.00 % of the pixels); where their precision counts as 0" in text
    )
    assert "the mean precision is 37.50 %" in text


def test_every_pixel_ignored_still_prints() -> None:
    text = table(Metrics(np.zeros((2, 2), np.int64), ("sky", "car"), 1))
    assert "mIoU - %" in text


@pytest.mark.parametrize("count", [1, 2, 19, 150])
def test_picture_of_any_number_of_classes(count: int, tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).integers(0, 50, (count, count))
    matrix[0] = 0  # a class that never occurs
    path = tmp_path / "confusion.png"
    confusion_picture(Metrics(matrix, tuple(f"class {i}" for i in range(count)), 3), path)
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert min(picture.size) >= 300
        assert max(picture.size) <= 4000
    assert list(tmp_path.iterdir()) == [path]
