"""Training samples are a pure function of their number."""

import dataclasses
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from raster_files import write_tiff
from scenes import write_scenes

from segnext.data import crops as module
from segnext.data import folder as folder_module
from segnext.data.crops import Crops, batches, epoch_order
from segnext.data.folder import Folder, Pair
from segnext.data.transforms import Augment
from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.labels import Labels
from segnext.preprocess import Bands, Preprocess


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    write_scenes(folder, {"train": 5}, height=48, width=64)
    return folder


def training(data: Path, seed: int = 3) -> Crops:
    folder = Folder.open(data)
    return Crops(tuple(folder.pairs("train")), folder.labels, Preprocess(), (32, 40), Augment(), seed)


def test_a_sample_is_normalised_and_typed(data: Path) -> None:
    image, mask = training(data)[0]
    assert image.dtype == torch.float32
    assert mask.dtype == torch.int64
    assert image.shape == (3, 32, 40)
    assert mask.shape == (32, 40)
    assert image.is_contiguous()
    assert image.min() > -2.2
    assert image.max() < 2.7
    assert set(mask.flatten().tolist()) <= set(range(12))  # 11 is CamVid's ignore label


def test_a_sample_depends_on_seed_and_number_alone(data: Path) -> None:
    crops, again, other = training(data), training(data), training(data, seed=4)
    later = crops[7]
    for number in (0, 7, 12):
        _ = again[number + 1]  # whatever was drawn before
        image, mask = again[number]
        assert torch.equal(image, crops[number][0])
        assert torch.equal(mask, crops[number][1])
        assert not torch.equal(image, other[number][0])
    assert torch.equal(later[0], crops[7][0])
    assert not torch.equal(crops[7][0], crops[12][0])


def test_torchs_random_numbers_are_not_touched(data: Path) -> None:
    before = torch.get_rng_state()
    _ = training(data)[1]
    assert torch.equal(before, torch.get_rng_state())


def test_every_picture_occurs_once_in_each_pass(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = training(data)
    seen: list[Path] = []

    def spy(path: Path, bands: Bands | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        seen.append(path)
        return read_image(path)

    monkeypatch.setattr(folder_module, "read_picture", spy)
    for number in range(15):
        _ = crops[number]
    pictures = sorted(pair.image for pair in crops.pairs)
    passes = [seen[first : first + 5] for first in (0, 5, 10)]
    assert [sorted(order) for order in passes] == [pictures] * 3
    assert passes[0] != passes[1]


def test_orders_of_passes_and_seeds_differ() -> None:
    orders = [tuple(epoch_order(seed, epoch, 50).tolist()) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == 9
    assert all(sorted(order) == list(range(50)) for order in orders)


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_are_the_samples_in_order(data: Path, workers: int) -> None:
    crops = training(data)
    stream = list(batches(crops, range(14), 4, workers))
    assert [len(masks) for _, masks in stream] == [4, 4, 4, 2]
    images = torch.cat([images for images, _ in stream])
    masks = torch.cat([masks for _, masks in stream])
    for number in range(14):
        assert torch.equal(images[number], crops[number][0])
        assert torch.equal(masks[number], crops[number][1])


def test_a_stream_goes_on_from_any_batch(data: Path) -> None:
    crops = training(data)
    whole = list(islice(batches(crops, range(100), 2, 1), 6))
    rest = list(islice(batches(crops, range(4 * 2, 100), 2, 1), 2))
    for (images, masks), (later_images, later_masks) in zip(whole[4:], rest, strict=True):
        assert torch.equal(images, later_images)
        assert torch.equal(masks, later_masks)


def test_an_empty_range_gives_nothing(data: Path) -> None:
    assert list(batches(training(data), range(0), 4, 1)) == []


def test_no_threads_are_left_behind(data: Path) -> None:
    stream = batches(training(data), range(1000), 2, 2)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("data")] == []


def test_only_few_samples_are_prepared_ahead(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    sample = Crops.__getitem__

    def spy(self: Crops, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        numbers.append(number)
        return sample(self, number)

    monkeypatch.setattr(Crops, "__getitem__", spy)
    stream = batches(training(data), range(1000), 2, 1)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(numbers) <= 2 + module.BATCHES_AHEAD * 2


def test_a_mask_of_another_size_is_named(data: Path, tmp_path: Path) -> None:
    crops = training(data)
    small = tmp_path / "small.png"
    PIL.Image.new("L", (63, 48)).save(small)
    pair = dataclasses.replace(crops.pairs[0], mask=small)
    wrong = dataclasses.replace(crops, pairs=(pair,))
    with pytest.raises(
        SegNextError, match=r"small\.png: is 63 x 48, its picture 64 x 48; both must have the same size"
    ):
        _ = wrong[0]
    with pytest.raises(SegNextError, match=r"small\.png: is 63 x 48"):  # also from a thread
        next(batches(wrong, range(4), 2, 2))


def test_the_short_side_is_what_a_scale_of_one_means(data: Path) -> None:
    plain = Augment(scale=(1.0, 1.0), flip=0.0, brightness=0.0, contrast=(1.0, 1.0), saturation=(1.0, 1.0), hue=0)
    crops = dataclasses.replace(training(data), augment=plain, crop=(128, 160), preprocess=Preprocess(short_side=96))
    _, mask = crops[0]
    assert (mask[:96, :128] != 11).all()
    assert (mask[96:] == 11).all()
    assert (mask[:, 128:] == 11).all()


def test_bands_are_normalised_and_what_was_not_measured_is_ignored(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(5000, 100, (40, 40, 4)).astype(np.uint16)
    values[:10] = 0  # in all bands
    values[20, :, 2] = 0  # in one
    write_tiff(tmp_path / "images/train/a.tif", values, nodata=0)
    (tmp_path / "masks/train").mkdir(parents=True)
    PIL.Image.new("L", (40, 40), 1).save(tmp_path / "masks/train/a.png")
    labels = Labels("toy", ("a", "b"), ((0, 0, 0), (9, 9, 9)))
    bands = Bands(("r", "g", "b", "n"), ("r", "b", "n"), None, "uint16")
    preprocess = Preprocess((5000.0,) * 3, (100.0,) * 3, None, bands)
    still = Augment((1.0, 1.0), 1.0, 0.0, 0.0, (1.0, 1.0))
    crops = Crops(
        (Pair(tmp_path / "images/train/a.tif", tmp_path / "masks/train/a.png"),), labels, preprocess, (48, 40), still, 0
    )
    image, mask = crops[0]
    assert image.shape == (3, 48, 40)
    assert image.dtype == torch.float32
    assert torch.all(image[:, :10] == 0)
    assert torch.all(mask[:10] == 255)
    assert torch.all(mask[10:40] == 1)
    assert torch.all(image[1, 20] == 0)
    assert image[0, 20].std() == pytest.approx(1, abs=0.3)
    assert torch.all(image[:, 40:] == 0)  # the padding
    assert torch.all(mask[40:] == 255)
    assert image[2, 30, 7] == pytest.approx((float(values[30, 7, 3]) - 5000) / 100, abs=1e-4)
