"""What a film's legend shows, and that it never changes its size."""

import numpy as np
import pytest

from segnext.data.known import known_labels
from segnext.inference.legend import attached, film_legend
from segnext.labels import Color, Labels
from segnext.preprocess import Image


def colors(strip: Image) -> set[Color]:
    return {(int(r), int(g), int(b)) for r, g, b in np.unique(strip.reshape(-1, 3), axis=0)}


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640)])
def test_all_classes_where_they_fit(width: int, height: int) -> None:
    labels = known_labels("cityscapes")
    strip = film_legend(labels, {"road": 1.0}, width, height)
    assert {*labels.colors} <= colors(strip)
    assert film_legend(labels, {}, width, height) is strip
    assert strip.shape[0] < height / 3 if width > height else strip.shape[1] < width


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640)])
def test_those_of_the_frame_where_there_are_many(width: int, height: int) -> None:
    labels = known_labels("ade20k")
    color = dict(zip(labels.classes, labels.colors, strict=True))
    few = film_legend(labels, {"sky": 0.2, "wall": 0.8, "bed": 0.0}, width, height)
    assert {color["sky"], color["wall"]} <= colors(few)
    assert not {color["bed"], color["tree"]} & colors(few)
    every = film_legend(labels, dict.fromkeys(labels.classes, 1 / 150), width, height)
    assert every.shape == few.shape == film_legend(labels, {}, width, height).shape
    assert len({*labels.colors} & colors(every)) >= 15


def test_a_strip_beside_a_picture_hides_nothing() -> None:
    strip = film_legend(Labels("x", ("a", "b"), ((255, 0, 0), (0, 0, 255)), 255), {}, 40, 30)
    canvas = attached(np.zeros((30, 40, 3), np.uint8), strip)
    assert not canvas[:30, :40].any()
    np.testing.assert_array_equal(canvas[30:, : strip.shape[1]], strip)
