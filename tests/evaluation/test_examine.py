"""Evaluation picture by picture."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.evaluation.examine import Mistake, examine, mistakes, telling, typical, worst
from segnext.evaluation.metrics import Metrics
from segnext.labels import Labels
from segnext.preprocess import Image, Raster

LABELS = Labels("toy", ("sky", "road", "car"), ((128, 128, 128), (128, 64, 128), (64, 0, 128)), 255)
TRUTHS = [[[0, 0, 1, 1]], [[1, 1, 1, 2]], [[255, 255, 255, 255]]]


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    found = []
    for index, truth in enumerate(TRUTHS):
        found.append(Pair(tmp_path / f"{index}.jpg", tmp_path / f"{index}.png"))
        Pillow.fromarray(np.array(truth, np.uint8)).save(found[-1].mask)
    return found


def all_road(source: Path | Image | Raster) -> NDArray[np.uint8]:
    return np.ones((1, 4), np.uint8)


def test_scores_of_pictures_and_metrics_of_all(pairs: list[Pair]) -> None:
    done: list[int] = []
    metrics, scores = examine(all_road, pairs, LABELS, done.append)
    assert metrics.confusion.tolist() == [[0, 2, 0], [0, 5, 0], [0, 1, 0]]
    assert metrics.images == 3
    assert done == [1, 2, 3]
    # sky 0 of 2, road 2 of 4; then road 3 of 4, car 0 of 1
    assert [score.iou for score in scores[:2]] == [0.25, 0.375]
    assert scores[0].mistakes == (Mistake("sky", "road", 2, 0.5),)
    assert scores[1].pixel_accuracy == 0.75
    assert np.isnan(scores[2].iou)
    assert [score.pair for score in worst(scores, 5)] == pairs[:2]
    assert [score.pair for score in worst(scores, 1)] == pairs[:1]
    assert [score.pair for score in typical(scores, 1)] == pairs[:1]
    assert telling(scores, 4) == pairs[:2]


def test_mistakes_come_largest_first_and_without_what_is_right() -> None:
    metrics = Metrics(np.array([[50, 3, 0], [9, 30, 0], [3, 5, 0]], np.int64), LABELS.classes, 1)
    assert mistakes(metrics, 2) == (Mistake("road", "sky", 9, 0.09), Mistake("car", "road", 5, 0.05))
    assert mistakes(Metrics(np.diag([1, 2, 3]), LABELS.classes, 1), 5) == ()


def test_no_pictures() -> None:
    with pytest.raises(SegNextError, match="no pictures to evaluate"):
        examine(all_road, [], LABELS)


def test_multi_label_classes_are_missed_or_claimed() -> None:
    metrics = Metrics(np.array([[[50, 4], [9, 30]], [[80, 0], [0, 13]]], np.int64), ("crack", "rust"), 1)
    assert metrics.pixels == 93
    assert mistakes(metrics, 5) == (Mistake("crack", "", 9, 9 / 93), Mistake("", "crack", 4, 4 / 93))


def test_multi_label_scores(tmp_path: Path) -> None:
    labels = Labels("toy", ("crack", "rust"), ((9, 0, 0), (0, 9, 0)), 255, multi_label=True)
    pair = Pair(tmp_path / "a.jpg", tmp_path / "a")
    pair.mask.mkdir()
    Pillow.fromarray(np.array([[255, 255, 0, 0]], np.uint8)).save(pair.mask / "crack.png")
    Pillow.fromarray(np.array([[0, 0, 0, 255]], np.uint8)).save(pair.mask / "ignore.png")
    prediction = np.array([[[1, 0, 0, 1]], [[0, 1, 0, 0]]], np.uint8)
    metrics, (score,) = examine(lambda source: prediction, [pair], labels)
    assert metrics.confusion.tolist() == [[[1, 0], [1, 1]], [[2, 1], [0, 0]]]
    assert score.iou == 0.25  # crack 1 of 2, rust 0 of 1
    assert score.pixel_accuracy == 4 / 6
    assert set(score.mistakes) == {Mistake("crack", "", 1, 1 / 3), Mistake("", "rust", 1, 1 / 3)}
