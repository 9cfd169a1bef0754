"""Masks and mistakes as pictures."""

import numpy as np

from segnext.labels import Labels
from segnext.painting import paint_errors, paint_mask, shrink_mask

LABELS = Labels("toy", ("sky", "road"), ((128, 128, 128), (128, 64, 128)), 255)


def test_masks_have_the_classes_colours_and_white_where_ignored() -> None:
    assert paint_mask(np.array([[1, 255]], np.uint8), LABELS).tolist() == [[[128, 64, 128], [255, 255, 255]]]


def test_errors_are_red_and_ignored_pixels_dark() -> None:
    photo = np.full((1, 3, 3), 100, np.uint8)
    truth = np.array([[0, 0, 255]], np.uint8)
    prediction = np.array([[0, 1, 1]], np.uint8)
    picture = paint_errors(photo, truth, prediction, LABELS.ignore)
    # grey 100: pale 0.5 * 100 + 110, red 0.3 * 100 + 0.7 * (235, 20, 20), dark 0.25 * 100
    assert picture.tolist() == [[[160, 160, 160], [194, 44, 44], [25, 25, 25]]]


def test_multi_label_masks_mix_their_colours() -> None:
    mask = np.array([[[1, 1, 0, 255]], [[0, 1, 0, 255]]], np.uint8)
    assert paint_mask(mask, LABELS).tolist() == [[[128, 128, 128], [128, 96, 128], [0, 0, 0], [255, 255, 255]]]
    photo = np.full((1, 4, 3), 100, np.uint8)
    picture = paint_errors(photo, mask, np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]]], np.uint8), 255)
    assert picture[0].tolist() == [[160] * 3, [194, 44, 44], [160] * 3, [25] * 3]


def test_masks_shrink_by_nearest_neighbour() -> None:
    mask = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert shrink_mask(mask, 2, 2).tolist() == [[5, 7], [13, 15]]
    assert shrink_mask(np.stack([mask, mask]), 4, 4).tolist() == [mask.tolist()] * 2
