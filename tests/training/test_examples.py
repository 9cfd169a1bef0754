"""Val pictures beside truth and prediction."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segnext.labels import Labels
from segnext.training.examples import STRIP, draw_examples, strip

LABELS = Labels("toy", ("sky", "road"), ((128, 128, 128), (128, 64, 128)), 255)


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def has_color(path: Path, color: tuple[int, int, int]) -> bool:
    return bool((pixels(path) == color).all(2).any())


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_examples_of_different_sizes(rows: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    items = []
    for index in range(rows):
        height, width = 20 + 13 * index, 90 - 9 * index
        photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        truth = np.zeros((height, width), np.uint8)
        truth[:, :9] = 255
        prediction = np.ones((height, width), np.uint8)
        items.append((photo, truth, prediction))
    draw_examples(items, LABELS, tmp_path / "examples.png")
    for color in LABELS.colors:
        assert has_color(tmp_path / "examples.png", color)
    assert pixels(tmp_path / "examples.png").shape[1] == 1572


def test_examples_with_every_pixel_ignored(tmp_path: Path) -> None:
    photo = np.zeros((8, 8, 3), np.uint8)
    truth = np.full((8, 8), 255, np.uint8)
    draw_examples([(photo, truth, np.zeros_like(truth))], LABELS, tmp_path / "examples.png")
    assert has_color(tmp_path / "examples.png", LABELS.colors[0])


def test_a_strip_is_photo_truth_prediction_and_errors() -> None:
    photo = np.full((30, 60, 3), 100, np.uint8)
    truth, prediction = np.zeros((30, 60), np.uint8), np.ones((30, 60), np.uint8)
    row = strip((photo, truth, prediction), LABELS)
    assert row.shape == (STRIP // 2, 4 * STRIP, 3)
    panels = [row[:, start : start + STRIP] for start in range(0, 4 * STRIP, STRIP)]
    # the errors: 0.3 * 100 + 0.7 * (235, 20, 20)
    for panel, color in zip(panels, [(100, 100, 100), *LABELS.colors, (194, 44, 44)], strict=True):
        assert (panel == color).all()


def test_multi_label_pictures_without_any_class_have_no_legend(tmp_path: Path) -> None:
    labels = Labels("toy", LABELS.classes, LABELS.colors, 255, multi_label=True)
    nothing = np.zeros((2, 8, 8), np.uint8)
    draw_examples([(np.full((8, 8, 3), 9, np.uint8), nothing, nothing)], labels, tmp_path / "examples.png")
    assert not has_color(tmp_path / "examples.png", LABELS.colors[1])


def test_class_names_are_no_formulas(tmp_path: Path) -> None:
    labels = Labels("toy", (r"$\frac{a}$", "_road"), LABELS.colors, 255)
    mask = np.zeros((8, 8), np.uint8)
    draw_examples([(np.zeros((8, 8, 3), np.uint8), mask, mask + 1)], labels, tmp_path / "examples.png")
    assert all(has_color(tmp_path / "examples.png", color) for color in LABELS.colors)
