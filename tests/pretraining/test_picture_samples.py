"""Crops of training pictures and middles of val pictures."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from segnext.errors import SegNextError
from segnext.pretraining.config import PictureAugment
from segnext.pretraining.folder import Pictures
from segnext.pretraining.samples import TrainSamples, ValSamples, random_box

WHOLE = PictureAugment(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0)


def save(path: Path, array: np.ndarray) -> str:
    PIL.Image.fromarray(array.astype(np.uint8)).save(path)
    return str(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Picture n, 32 x 32, is n everywhere, and 100 at its left edge; its label is n."""
    files = []
    for number in range(5):
        array = np.full((32, 32, 3), number)
        array[:, :4] = 100
        files.append(save(tmp_path / f"{number}.png", array))
    return Pictures(tuple(files), np.arange(5))


def test_each_pass_has_every_picture_once_in_an_order_of_its_own(pictures: Pictures) -> None:
    samples = TrainSamples(pictures, 32, WHOLE, seed=0)
    passes = [[int(samples[5 * epoch + position][1][0]) for position in range(5)] for epoch in range(3)]
    assert all(sorted(labels) == [0, 1, 2, 3, 4] for labels in passes)
    assert len({tuple(labels) for labels in passes}) > 1
    for number in range(5):
        image, (label, itself) = samples[number]
        assert itself == number
        assert samples.name(number) == pictures.files[int(label)]
        assert image.dtype == torch.uint8
        assert image.shape == (3, 32, 32)
        assert label.dtype == torch.int64
        assert image[:, 0, 31].tolist() == [int(label)] * 3
        assert image[:, 0, 0].tolist() == [100] * 3


def test_a_sample_follows_from_seed_and_number(pictures: Pictures) -> None:
    samples = TrainSamples(pictures, 48, PictureAugment(), seed=3)
    again = TrainSamples(pictures, 48, PictureAugment(), seed=3)
    other = TrainSamples(pictures, 48, PictureAugment(), seed=4)
    assert all(torch.equal(samples[n][0], again[n][0]) for n in (7, 0, 7))
    assert any(not torch.equal(samples[n][0], other[n][0]) for n in range(5))


def test_half_of_the_pictures_are_mirrored(pictures: Pictures) -> None:
    options = PictureAugment(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.5)
    samples = TrainSamples(pictures, 32, options, seed=0)
    left = [int(samples[n][0][0, 0, 0]) == 100 for n in range(100)]
    assert 35 <= sum(left) <= 65


def test_boxes_have_the_area_and_shape_that_are_asked_for() -> None:
    options = PictureAugment(scale=(0.2, 0.5), ratio=(0.5, 2.0))
    random = np.random.default_rng(0)
    for _ in range(200):
        top, left, height, width = random_box(300, 400, options, random)
        assert 0 <= top <= 300 - height
        assert 0 <= left <= 400 - width
        assert 0.2 - 0.01 <= height * width / 120_000 <= 0.5 + 0.01
        assert 0.5 - 0.02 <= width / height <= 2.0 + 0.04


@pytest.mark.parametrize(("height", "width", "box"), [(40, 200, (0, 80, 40, 40)), (90, 30, (30, 0, 30, 30))])
def test_where_no_box_fits_the_middle_is_taken(height: int, width: int, box: tuple[int, int, int, int]) -> None:
    assert random_box(height, width, WHOLE, np.random.default_rng(0)) == box


def test_val_takes_the_middle(tmp_path: Path) -> None:
    array = np.zeros((40, 80, 3))
    array[4:36, 24:56] = 200  # the middle 32 x 32, which is 0.8 of the short side
    picture = Pictures((save(tmp_path / "a.png", array),), np.array([7]))
    image, label = ValSamples(picture, 64, 0.8)[0]
    assert int(label) == 7
    assert image.shape == (3, 64, 64)
    assert (image == 200).all()
    assert 0 in ValSamples(picture, 64, 1.0)[0][0]


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    samples = TrainSamples(Pictures((str(tmp_path / "a.png"),), np.array([0])), 32, WHOLE, 0)
    with pytest.raises(SegNextError, match=r"a\.png: not an image that can be read"):
        samples[0]
