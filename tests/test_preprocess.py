"""Sizes and normalisation of what enters the network."""

import numpy as np
import pytest

from segnext.preprocess import Bands, Preprocess, padding


def test_normalisation_by_hand() -> None:
    preprocess = Preprocess(mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 4.0))
    image = np.array([[[10, 20, 30], [12, 30, 10]]], np.uint8)
    normal = preprocess.normalise(image)
    assert normal.dtype == np.float32
    assert normal.shape == (3, 1, 2)
    assert normal.tolist() == [[[0.0, 2.0]], [[0.0, 5.0]], [[0.0, -5.0]]]


def test_the_defaults_are_those_of_imagenet() -> None:
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    assert Preprocess().mean == pytest.approx(255 * mean)
    assert Preprocess().std == pytest.approx(255 * std)


@pytest.mark.parametrize("bands", [1, 4])
def test_other_numbers_of_bands(bands: int) -> None:
    preprocess = Preprocess(mean=(128.0,) * bands, std=(64.0,) * bands)
    assert preprocess.normalise(np.full((2, 3, bands), 192, np.uint8)).tolist() == np.ones((bands, 2, 3)).tolist()


@pytest.mark.parametrize(
    ("short_side", "size", "expected"),
    [
        (None, (7, 5000), (7, 5000)),
        (512, (512, 683), (512, 683)),
        (512, (1024, 2048), (512, 1024)),
        (512, (600, 400), (768, 512)),
        (360, (360, 480), (360, 480)),
        (360, (90, 120), (360, 480)),  # also larger
        (360, (720, 961), (360, 481)),  # 480.5
        (100, (100, 500), (80, 400)),  # four times as long as wide and no more
        (100, (1000, 100), (400, 40)),
        (100, (1, 100_000), (1, 400)),
    ],
)
def test_sizes(short_side: int | None, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert Preprocess(short_side=short_side).size(*size) == expected


@pytest.mark.parametrize(
    ("short_side", "scale", "expected"), [(None, 0.5, (180, 240)), (720, 1.0, (720, 960)), (720, 1.75, (1260, 1680))]
)
def test_sizes_at_other_scales(short_side: int | None, scale: float, expected: tuple[int, int]) -> None:
    assert Preprocess(short_side=short_side).size(360, 480, scale) == expected


@pytest.mark.parametrize(
    ("sides", "size", "expected"),
    [
        ((None, 520), (375, 500), (390, 520)),
        ((None, 896), (300, 896), (300, 896)),
        ((None, 896), (896, 100), (896, 100)),
        ((None, 520), (1040, 520), (520, 260)),
        ((512, 2048), (100, 1000), (205, 2048)),
        ((512, 600), (100, 200), (300, 600)),
        ((512, 600), (100, 101), (512, 517)),
    ],
)
def test_long_sides(sides: tuple[int | None, int | None], size: tuple[int, int], expected: tuple[int, int]) -> None:
    preprocess = Preprocess(short_side=sides[0], long_side=sides[1])
    assert preprocess.size(*size) == expected
    said = [part for side, part in zip(sides, ("a short side of 512", "a long side of"), strict=True) if side]
    assert all(part in preprocess.wanted() for part in said)
    assert Preprocess().wanted() == ""


def test_padding_fills_up_to_multiples_of_32() -> None:
    assert padding(360, 480, 32) == (24, 0)
    assert padding(64, 96, 32) == (0, 0)
    assert padding(1, 33, 32) == (31, 31)


def test_what_was_not_measured_enters_as_the_mean() -> None:
    bands = Bands(("a", "b"), ("a", "b"))
    image = np.array([[[np.nan, 3.0]]], np.float32)
    assert Preprocess((1.0, 2.0), (1.0, 0.5), None, bands).normalise(image).tolist() == [[[0.0]], [[2.0]]]


def test_positions_of_chosen_bands() -> None:
    assert Bands(("red", "green", "nir"), ("nir", "red")).positions == [2, 0]
