"""Crops drawn for a class."""

import dataclasses
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from segnext.data.counts import ClassCounts, count_classes
from segnext.data.crops import Crops
from segnext.data.folder import Folder
from segnext.data.sampling import ClassSampler, Sampling
from segnext.data.transforms import Augment, choose_crop
from segnext.errors import SegNextError
from segnext.preprocess import Preprocess

PICTURES = 12
RARE = 2  # one pixel of it, in one picture


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks of class 0 with a column of class 1, and one with a single pixel of class 2."""
    folder = tmp_path_factory.mktemp("sampling")
    (folder / "images/train").mkdir(parents=True)
    (folder / "masks/train").mkdir(parents=True)
    names = "\n".join(f"  - {{name: {name}, color: [0, 0, 0]}}" for name in ("common", "column", "rare", "absent"))
    (folder / "dataset.yaml").write_text(f"name: three\nclasses:\n{names}\n")
    for number in range(PICTURES):
        mask = np.zeros((96, 128), np.uint8)
        mask[:, 7] = 1
        mask[0, :20] = 255
        if number == 5:
            mask[90, 120] = RARE
        PIL.Image.new("RGB", (128, 96), (number, 0, 0)).save(folder / f"images/train/{number:02}.png")
        PIL.Image.fromarray(mask).save(folder / f"masks/train/{number:02}.png")
    return folder


def training(data: Path, sampling: Sampling, scale: float = 1.0) -> Crops:
    folder = Folder.open(data)
    pairs = tuple(folder.pairs("train"))
    sampler = ClassSampler(sampling, count_classes(pairs, folder.labels, 2)) if sampling.class_share else None
    options = Augment(scale=(scale, scale))
    return Crops(pairs, folder.labels, Preprocess(), (32, 32), options, 3, sampler)


def test_counts(data: Path) -> None:
    folder = Folder.open(data)
    counts = count_classes(folder.pairs("train"), folder.labels, 3)
    assert counts.pixels.shape == (PICTURES, 4)
    assert counts.pixels[0].tolist() == [96 * 127 - 19, 95, 0, 0]
    assert counts.pixels[5].tolist() == [96 * 127 - 19 - 1, 95, 1, 0]
    assert counts.labelled.tolist() == [96 * 128 - 20] * PICTURES
    assert counts.frequencies.sum() == pytest.approx(1.0)
    assert counts.frequencies[RARE] == pytest.approx(1 / (12 * (96 * 128 - 20)))


def test_chances_by_hand() -> None:
    counts = ClassCounts(np.array([[64, 0, 0], [0, 36, 0]]), np.array([64, 36]))
    assert ClassSampler(Sampling(1.0), counts).chances.tolist() == [0.5, 0.5, 0.0]
    # 1 / 0.8 and 1 / 0.6 are as 3 to 4
    assert ClassSampler(Sampling(1.0, 0.5), counts).chances.tolist() == pytest.approx([3 / 7, 4 / 7, 0.0])
    assert ClassSampler(Sampling(1.0, 1.0), counts).chances.tolist() == pytest.approx([0.36, 0.64, 0.0])


def test_a_class_and_its_pictures() -> None:
    counts = ClassCounts(np.array([[5, 0], [5, 1], [0, 7]]), np.array([5, 6, 7]))
    sampler = ClassSampler(Sampling(1.0), counts)
    random = np.random.Generator(np.random.PCG64(0))
    drawn = [sampler.draw(random) for _ in range(2000)]
    assert set(drawn) == {(0, 0), (0, 1), (1, 1), (1, 2)}
    for one in set(drawn):
        assert drawn.count(one) == pytest.approx(500, abs=90)


@pytest.mark.parametrize(("share", "expected"), [(0.25, 25), (0.5, 50), (1.0, 100), (0.333, 33)])
def test_the_share_is_spread_evenly(data: Path, share: float, expected: int) -> None:
    crops = training(data, Sampling(share))
    drawn = [crops.choice(number)[1] is not None for number in range(100)]
    assert sum(drawn) == expected
    if share == 0.5:
        assert drawn == [False, True] * 50


def test_the_others_still_take_every_picture_once_in_a_pass(data: Path) -> None:
    plain, crops = training(data, Sampling()), training(data, Sampling(0.5))
    others = [crops.pair(number) for number in range(48) if crops.choice(number)[1] is None]
    assert others == [plain.pair(number) for number in range(24)]


def test_samples_depend_on_seed_and_number_alone(data: Path) -> None:
    crops, again = training(data, Sampling(0.5)), training(data, Sampling(0.5))
    other = dataclasses.replace(crops, seed=4)
    for number in (1, 6, 13):
        _ = again[number + 2]
        for found, expected in zip(again[number], crops[number], strict=True):
            assert torch.equal(found, expected)
    assert [crops.choice(n) for n in range(40)] != [other.choice(n) for n in range(40)]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_crop_lies_over_its_class(data: Path, scale: float) -> None:
    crops = training(data, Sampling(1.0), scale)
    seen = []
    for number in range(40):
        _, label = crops.choice(number)
        assert label is not None
        seen.append(label)
        assert (crops[number][1] == label).any()
    assert set(seen) == {0, 1, RARE}  # the class that is nowhere is never drawn
    plain = training(data, Sampling(), scale)
    assert not any((plain[number][1] == RARE).any() for number in range(PICTURES))


def test_the_place_over_a_pixel_is_drawn_evenly() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[20, 2] = 1
    random = np.random.Generator(np.random.PCG64(0))
    windows = [choose_crop(mask, (4, 8), 255, 1.0, random, 1) for _ in range(400)]
    assert {rows.start for rows, _ in windows} == {17, 18, 19, 20}
    assert {columns.start for _, columns in windows} == {0, 1, 2}  # the picture's edge is near


def test_a_class_that_resizing_lost_leaves_the_place_open() -> None:
    random = np.random.Generator(np.random.PCG64(0))
    windows = [choose_crop(np.zeros((40, 40), np.uint8), (4, 8), 255, 1.0, random, 1) for _ in range(50)]
    assert len({rows.start for rows, _ in windows}) > 10


def test_planes_of_multi_label_masks() -> None:
    mask = np.zeros((3, 40, 40), np.uint8)
    mask[1, 33, 33] = 1
    mask[2] = 1
    random = np.random.Generator(np.random.PCG64(0))
    for _ in range(20):
        rows, columns = choose_crop(mask, (4, 8), 255, 0.75, random, 1)
        assert mask[1, rows, columns].any()


def test_masks_without_a_class() -> None:
    with pytest.raises(SegNextError, match="no training mask holds a class"):
        ClassSampler(Sampling(0.5), ClassCounts(np.zeros((2, 3), np.int64), np.zeros(2, np.int64)))


@pytest.mark.parametrize(
    ("values", "message"), [((1.1, 0.0), "class_share is 1.1"), ((0.5, -1.0), "rarity is -1.0; it must be from 0 to 2")]
)
def test_settings_that_mean_nothing(values: tuple[float, float], message: str) -> None:
    with pytest.raises(SegNextError, match=message):
        Sampling(*values)
