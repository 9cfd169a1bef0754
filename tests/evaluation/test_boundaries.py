"""Boundary IoU and boundary F, by hand and against the definitions written out."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segnext.evaluation.boundaries import BAND, TOLERANCE, band, boundary_counts, boundary_f, boundary_iou, plane_counts

Mask = NDArray[np.uint8]


def square(top: int, left: int, side: int, size: int = 50) -> Mask:
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def blobs(seed: int, classes: int = 4) -> Mask:
    """Roundish regions, (60, 83)."""
    noise = np.random.default_rng(seed).normal(size=(classes, 60, 83)).astype(np.float32)
    planes = np.stack([cv2.GaussianBlur(plane, (0, 0), 5) for plane in noise])
    return np.asarray(planes.argmax(0), np.uint8)


def defined_iou(truth: Mask, prediction: Mask, label: int, ignore: int = 255) -> float:
    """The definition of Cheng et al.: a mask less itself eroded d times by 3 x 3, with nothing around the picture."""
    known = truth != ignore
    distance = max(1, round(BAND * float(np.hypot(*truth.shape))))
    bands = []
    for labels in (truth, np.where(known, prediction, ignore)):
        mask = np.pad((labels == label).astype(np.uint8), 1)
        inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=distance)
        bands.append((mask - inner)[1:-1, 1:-1].astype(bool) & known)
    return float((bands[0] & bands[1]).sum() / (bands[0] | bands[1]).sum())


def defined_f(truth: Mask, prediction: Mask, label: int) -> float:
    """Every outline pixel of one against all of the other."""
    points = []
    for labels in (truth, prediction):
        padded = np.pad(labels, 1, "edge")
        views = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        points.append(np.argwhere((labels == label) & np.any([view != labels for view in views], axis=0)))
    near = np.linalg.norm(points[0][:, None] - points[1][None], axis=2) <= max(1.0, TOLERANCE * np.hypot(*truth.shape))
    recall, precision = near.any(1).mean(), near.any(0).mean()
    return float(2 * precision * recall / (precision + recall))


def test_a_square_that_is_a_pixel_too_large() -> None:
    truth, prediction = square(10, 10, 20), square(10, 10, 21)  # the diagonal is 70.7: bands are one pixel wide
    counts = boundary_counts(truth, prediction, 2, 255)
    ring, larger = 20**2 - 18**2, 21**2 - 19**2
    both = 20 + 19  # the upper and the left side
    assert counts[:2, 1].tolist() == [both, ring + larger - both]
    assert boundary_iou(counts)[1] == pytest.approx(both / (ring + larger - both))
    assert boundary_f(counts)[1] == pytest.approx(2 * 79 / 80 / (79 / 80 + 1))  # all but one corner
    larger_yet = square(10, 10, 23)
    found = boundary_f(boundary_counts(truth, larger_yet, 2, 255))[1]
    assert found == pytest.approx(defined_f(truth, larger_yet, 1))


def test_equal_masks_and_masks_far_apart() -> None:
    mask = square(5, 5, 8)
    counts = boundary_counts(mask, mask, 3, 255)
    assert boundary_iou(counts)[:2].tolist() == boundary_f(counts)[:2].tolist() == [1, 1]
    assert np.isnan(boundary_iou(counts)[2])
    assert np.isnan(boundary_f(counts)[2])
    counts = boundary_counts(mask, square(30, 30, 8), 2, 255)
    assert boundary_iou(counts)[1] == boundary_f(counts)[1] == 0
    counts = boundary_counts(mask, np.zeros_like(mask), 2, 255)
    assert boundary_iou(counts)[1] == boundary_f(counts)[1] == 0


@pytest.mark.parametrize("seed", range(4))
def test_all_classes_at_once_are_as_defined_for_each(seed: int) -> None:
    truth, prediction = blobs(seed), blobs(seed)
    prediction[20:40, 30:70] = blobs(seed + 9)[20:40, 30:70]
    counts = boundary_counts(truth, prediction, 4, 255)
    assert boundary_iou(counts) == pytest.approx([defined_iou(truth, prediction, label) for label in range(4)])
    assert boundary_f(counts) == pytest.approx([defined_f(truth, prediction, label) for label in range(4)])
    truth[10:30, 10:30] = 255
    counts = boundary_counts(truth, prediction, 4, 255)
    assert boundary_iou(counts) == pytest.approx([defined_iou(truth, prediction, label) for label in range(4)])


def test_what_is_ignored_counts_neither_way() -> None:
    truth, prediction = square(10, 10, 20), square(10, 10, 20)
    truth[8:32, 25:] = 255
    prediction[8:32, 25:] = 0
    counts = boundary_counts(truth, prediction, 2, 255)
    assert boundary_iou(counts)[1] == boundary_f(counts)[1] == 1


def test_planes_of_several_labels_are_counted_one_by_one() -> None:
    truth, prediction = np.stack([square(5, 5, 20), square(8, 20, 9)]), np.stack([square(5, 6, 20), square(8, 20, 9)])
    counts = plane_counts(truth, prediction, 255)
    assert counts.shape == (6, 2)
    assert boundary_iou(counts) == pytest.approx([defined_iou(truth[0], prediction[0], 1), 1])


def test_bands_reach_as_far_as_said() -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[:, 20:] = 3
    inner = band(labels, 3)[10]
    assert inner.tolist() == [*[True] * 3, *[False] * 14, *[True] * 6, *[False] * 14, *[True] * 3]
