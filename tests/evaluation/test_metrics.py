"""Confusion matrix and ratios against values worked out by hand."""

import json

import numpy as np
import pytest

from segnext.evaluation.metrics import Metrics, confusion_matrix

NAMES = ("sky", "road", "car")


def test_confusion_counts_pixels_with_rows_of_truth() -> None:
    truth = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    prediction = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    matrix = confusion_matrix(truth, prediction, 3, 255)
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert matrix.dtype == np.int64


def test_ignore_label_may_follow_the_classes() -> None:
    matrix = confusion_matrix(np.array([0, 1, 2]), np.array([0, 0, 1]), 2, 2)
    assert matrix.tolist() == [[1, 0], [1, 0]]


def test_confusion_of_150_classes_does_not_overflow_bytes() -> None:
    truth = np.full((10, 10), 149, np.uint8)
    matrix = confusion_matrix(truth, truth, 150, 255)
    assert matrix[149, 149] == 100
    assert matrix.sum() == 100


def test_everything_ignored_gives_zeros() -> None:
    matrix = confusion_matrix(np.full((2, 2), 255), np.ones((2, 2), np.uint8), 2, 255)
    assert matrix.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([0, 3], [0, 0], "truth has label 3, outside the 3 classes"),
        ([0, 0], [0, 255], "prediction has label 255, outside the 3 classes"),
        ([0, -1], [0, 0], "truth has label -1"),
        ([0, 0], [0], "shape"),
    ],
)
def test_confusion_refuses(truth: list[int], prediction: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(truth), np.array(prediction), 3, 255)


def test_ratios_by_hand() -> None:
    # sky: 6 right, 2 taken for road, 1 car taken for it; road: 3 right, 1 taken for car; car: 2 right.
    metrics = Metrics(np.array([[6, 2, 0], [0, 3, 1], [1, 0, 2]], np.int64), NAMES, 2)
    assert metrics.pixels == 15
    assert metrics.iou.tolist() == pytest.approx([6 / 9, 3 / 6, 2 / 4])
    assert metrics.accuracy.tolist() == pytest.approx([6 / 8, 3 / 4, 2 / 3])
    assert metrics.precision.tolist() == pytest.approx([6 / 7, 3 / 5, 2 / 3])
    assert metrics.shares.tolist() == pytest.approx([8 / 15, 4 / 15, 3 / 15])
    assert metrics.miou == pytest.approx((2 / 3 + 1 / 2 + 1 / 2) / 3)
    assert metrics.mean_accuracy == pytest.approx((3 / 4 + 3 / 4 + 2 / 3) / 3)
    assert metrics.mean_precision == pytest.approx((6 / 7 + 3 / 5 + 2 / 3) / 3)
    assert metrics.pixel_accuracy == pytest.approx(11 / 15)


def test_class_in_neither_truth_nor_prediction_is_left_out() -> None:
    metrics = Metrics(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]], np.int64), NAMES, 1)
    assert np.isnan(metrics.iou[2])
    assert metrics.miou == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert metrics.mean_accuracy == pytest.approx((3 / 4 + 1) / 2)


def test_class_only_predicted_counts_as_zero_iou_but_not_in_mean_accuracy() -> None:
    metrics = Metrics(np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]], np.int64), NAMES, 1)
    assert metrics.iou[2] == 0
    assert metrics.miou == pytest.approx((3 / 4 + 1 + 0) / 3)
    assert np.isnan(metrics.accuracy[2])
    assert metrics.mean_accuracy == pytest.approx((3 / 4 + 1) / 2)


def test_one_class() -> None:
    metrics = Metrics(np.array([[7]], np.int64), ("road",), 1)
    assert (metrics.miou, metrics.pixel_accuracy, metrics.mean_accuracy) == (1, 1, 1)


def test_to_dict_has_the_documented_keys_and_survives_json() -> None:
    metrics = Metrics(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]], np.int64), NAMES, 5)
    content = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert content == {
        "miou": pytest.approx(0.775),
        "pixel_accuracy": pytest.approx(7 / 8),
        "mean_accuracy": pytest.approx(0.875),
        "iou": {"sky": pytest.approx(0.75), "road": pytest.approx(0.8), "car": None},
        "never_predicted": [],
        "images": 5,
        "pixels": 8,
        "confusion": [[3, 1, 0], [0, 4, 0], [0, 0, 0]],
    }


def test_nothing_counted_is_null_everywhere() -> None:
    content = Metrics(np.zeros((2, 2), np.int64), ("a", "b"), 1).to_dict()
    assert content["miou"] is None
    assert content["pixel_accuracy"] is None
    assert content["mean_accuracy"] is None
    assert content["iou"] == {"a": None, "b": None}
