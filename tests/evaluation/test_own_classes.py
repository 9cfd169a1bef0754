"""A data set measured by its own classes."""

import numpy as np
import pytest

from segnext.evaluation.own_classes import own_metrics

# Own classes: vehicle (car or bus), road, thing (bus or sky), logo, which counts nowhere. Columns: road, car, bus, sky.
STANDS_FOR = ((1, 2), (0,), (2, 3), ())
JOINT = np.array([[1, 5, 3, 1], [6, 2, 0, 2], [0, 1, 4, 5], [7, 7, 7, 7]])


def test_by_hand() -> None:
    """Vehicle: 8 of 10 right, and 2 of road and 1 of thing are taken for it; a bus that is a thing is none of them."""
    found = own_metrics(JOINT, STANDS_FOR, ("vehicle", "road", "thing", "logo"))
    iou = {"vehicle": 8 / (10 + 3), "road": 6 / (10 + 1), "thing": 9 / (10 + 3)}  # sky: 1 of vehicle, 2 of road
    assert found["iou"] == pytest.approx(iou)
    assert found["miou"] == pytest.approx(np.mean(list(iou.values())))
    assert found["pixel_accuracy"] == pytest.approx(23 / 30)
    assert found["mean_accuracy"] == pytest.approx((0.8 + 0.6 + 0.9) / 3)


def test_what_does_not_occur_is_not_measured() -> None:
    found = own_metrics(np.zeros((2, 3), np.int64), ((0,), (1, 2)), ("a", "b"))
    unknown = {"miou": None, "pixel_accuracy": None, "mean_accuracy": None}
    assert found == {**unknown, "iou": {"a": None, "b": None}, "never_predicted": []}
