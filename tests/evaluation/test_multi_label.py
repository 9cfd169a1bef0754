"""Metrics of multi-label masks: a matrix of two by two for each class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.evaluation.evaluate import evaluate, require_same_classes
from segnext.evaluation.metrics import Metrics, class_confusions
from segnext.evaluation.summary import confusion_picture
from segnext.labels import Labels

LABELS = Labels("toy", ("vessel", "disc", "none"), ((200, 0, 0), (0, 200, 0), (0, 0, 200)), 255, multi_label=True)
TRUTH = np.array([[[1, 1, 0, 255]], [[0, 1, 0, 255]], [[0, 0, 0, 255]]], np.uint8)
PREDICTION = np.array([[[1, 0, 1, 1]], [[0, 1, 0, 0]], [[0, 0, 0, 1]]], np.uint8)
COUNTS = [[[0, 1], [1, 1]], [[2, 0], [0, 1]], [[3, 0], [0, 0]]]


def test_counts_by_hand() -> None:
    assert class_confusions(TRUTH, PREDICTION, 255).tolist() == COUNTS
    with pytest.raises(ValueError, match="truth has shape"):
        class_confusions(TRUTH, PREDICTION[:2], 255)


def test_ratios_by_hand() -> None:
    metrics = Metrics(np.array(COUNTS), LABELS.classes, 1)
    assert metrics.pixels == 3
    assert metrics.iou[:2].tolist() == [1 / 3, 1.0]
    assert np.isnan(metrics.iou[2])
    assert metrics.miou == pytest.approx(2 / 3)
    assert metrics.accuracy[:2].tolist() == [0.5, 1.0]
    assert metrics.precision[:2].tolist() == [0.5, 1.0]
    assert metrics.shares.tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert metrics.pixel_accuracy == pytest.approx(7 / 9)
    summary = metrics.to_dict()
    assert summary["confusion"] == COUNTS
    assert summary["iou"] == {"vessel": pytest.approx(1 / 3), "disc": 1.0, "none": None}


def test_nothing_counted() -> None:
    metrics = Metrics(np.zeros((2, 2, 2), np.int64), ("a", "b"), 1)
    assert np.isnan([metrics.pixel_accuracy, metrics.miou]).all()


def test_over_pictures(tmp_path: Path) -> None:
    pairs = [Pair(tmp_path / f"{name}.jpg", tmp_path / name) for name in "ab"]
    for pair in pairs:
        pair.mask.mkdir()
        for name, plane in zip(("vessel", "disc"), TRUTH[:2] == 1, strict=True):
            Image.fromarray(plane.astype(np.uint8) * 255).save(pair.mask / f"{name}.png")
        Image.fromarray((TRUTH[0] == 255).astype(np.uint8)).save(pair.mask / "ignore.png")
    metrics = evaluate(lambda path: PREDICTION, pairs, LABELS)
    assert metrics.confusion.tolist() == (2 * np.array(COUNTS)).tolist()
    assert metrics.images == 2
    with pytest.raises(SegNextError, match=r"the mask is 4 x 1 pixels, but its picture .* is 3 x 1"):
        evaluate(lambda path: PREDICTION[..., :3], pairs, LABELS)


def test_weights_of_the_other_kind() -> None:
    plain = Labels("toy", LABELS.classes, LABELS.colors, 255)
    with pytest.raises(SegNextError, match="DATA: WEIGHTS is multi-label, but DATA has one label per pixel"):
        require_same_classes(LABELS, plain, weights_name="WEIGHTS", data_name="DATA")
    with pytest.raises(SegNextError, match="DATA: DATA is multi-label, but WEIGHTS has one label per pixel"):
        require_same_classes(plain, LABELS, weights_name="WEIGHTS", data_name="DATA")


def test_bars_of_the_classes(tmp_path: Path) -> None:
    confusion_picture(Metrics(np.array(COUNTS), LABELS.classes, 1), tmp_path / "bars.png")
    picture = np.asarray(Image.open(tmp_path / "bars.png").convert("RGB")).astype(int)
    near = {
        name: (abs(picture - color).sum(2) < 30).sum()
        for name, color in (("right", (47, 109, 179)), ("missed", (224, 163, 58)), ("false", (200, 68, 44)))
    }
    assert near["right"] > 2 * near["missed"] > 0  # 4/3 bars against 1/3, and a patch of the legend each
    assert near["missed"] == pytest.approx(near["false"], rel=0.05)
