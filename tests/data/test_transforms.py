"""Paired augmentation: picture and mask stay together, labels stay labels."""

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segnext.data.transforms import (
    Augment,
    augment,
    choose_crop,
    distort_bands,
    distort_colors,
    linear,
    pad,
    resize,
    turn_colors,
)

NOTHING = Augment(
    scale=(1.0, 1.0),
    max_class_share=1.0,
    flip=0.0,
    brightness=0.0,
    contrast=(1.0, 1.0),
    saturation=(1.0, 1.0),
    hue=0,
)
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

Array = NDArray[np.uint8]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def scene(height: int, width: int) -> tuple[Array, Array]:
    """A picture whose red band is its mask: blocks of the labels 3, 60 and 200."""
    blocks = generator(9).choice(np.array([3, 60, 200], np.uint8), (height // 4 + 1, width // 4 + 1))
    mask = blocks.repeat(4, 0).repeat(4, 1)[:height, :width]
    return np.stack([mask, mask // 2, 255 - mask], axis=2), np.ascontiguousarray(mask)


def run(
    options: Augment, crop: tuple[int, int], size: tuple[int, int] = (40, 60), **changes: Any
) -> tuple[Array, Array]:
    image, mask = scene(*size)
    mask = changes.pop("mask", mask)
    arguments = {
        "base_size": size,
        "crop": crop,
        "ignore": 255,
        "mean": MEAN,
        "std": STD,
        "options": options,
        **changes,
    }
    return augment(image, mask, **{"random": generator(), **arguments})


def test_with_nothing_to_do_the_sample_is_a_window() -> None:
    image, mask = run(NOTHING, (40, 60))
    expected = scene(40, 60)
    assert np.array_equal(image, expected[0])
    assert np.array_equal(mask, expected[1])
    image, mask = run(NOTHING, (16, 24))
    assert image.shape == (16, 24, 3)
    assert np.array_equal(image[..., 0], mask)


def test_the_defaults_are_the_papers() -> None:
    assert dataclasses.astuple(Augment()) == ((0.5, 2.0), 0.75, 0.5, 32.0, (0.5, 1.5), (0.5, 1.5), 18, 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_types_sizes_and_labels_under_the_whole_recipe(seed: int) -> None:
    image, mask = run(Augment(), (32, 48), random=generator(seed))
    assert image.dtype == mask.dtype == np.uint8
    assert image.shape == (32, 48, 3)
    assert mask.shape == (32, 48)
    assert image.flags.c_contiguous
    assert mask.flags.c_contiguous
    assert set(np.unique(mask)) <= {3, 60, 200, 255}  # never interpolated


@pytest.mark.parametrize("scale", [0.5, 1.3, 2.0])
def test_picture_and_mask_are_resized_and_cropped_alike(scale: float) -> None:
    options = dataclasses.replace(NOTHING, scale=(scale, scale))
    image, mask = run(options, (24, 24), size=(64, 80))
    inside = (image[..., 0] == 3) | (image[..., 0] == 60) | (image[..., 0] == 200)
    assert inside.mean() > 0.2  # the others lie on edges, where the picture is interpolated
    near = np.abs(image[..., 0].astype(int) - mask.astype(int)) < 100
    assert near.mean() > 0.9


def test_the_scale_refers_to_the_base_size() -> None:
    image, mask = run(NOTHING, (32, 32), size=(40, 60), base_size=(20, 30))
    assert np.all(mask[:20, :30] != 255)
    assert np.all(mask[20:] == 255)
    assert np.all(mask[:, 30:] == 255)
    assert np.all(image[20:] == [124, 116, 104])
    assert np.all(image[:, 30:] == [124, 116, 104])


def test_scales_fill_their_range() -> None:
    heights = []
    for seed in range(60):
        _, mask = run(dataclasses.replace(NOTHING, scale=(0.5, 2.0)), (200, 200), random=generator(seed))
        heights.append(int(np.count_nonzero(mask[:, 0] != 255)))
    assert min(heights) >= 20
    assert max(heights) <= 80
    assert min(heights) < 24
    assert max(heights) > 74


def test_flip_turns_picture_and_mask_together() -> None:
    image, mask = run(dataclasses.replace(NOTHING, flip=1.0), (40, 60))
    straight_image, straight_mask = scene(40, 60)
    assert np.array_equal(image, straight_image[:, ::-1])
    assert np.array_equal(mask, straight_mask[:, ::-1])


def test_turned_crops_keep_their_size_and_their_mask() -> None:
    found = set()
    for seed in range(40):
        options = dataclasses.replace(NOTHING, flip=0.5, turn=0.75)
        image, mask = run(options, (60, 40), size=(60, 40), random=generator(seed))
        assert image.shape == (60, 40, 3)
        assert np.array_equal(image[..., 0][mask != 255], mask[mask != 255])
        image, mask = run(options, (40, 40), size=(40, 40), random=generator(seed))
        found.add(image.tobytes())
    square, _ = scene(40, 40)
    ways = [np.rot90(way, quarters) for way in (square, square[:, ::-1]) for quarters in range(4)]
    assert found == {np.ascontiguousarray(way).tobytes() for way in ways}


def test_a_turned_crop_is_cut_as_it_will_lie() -> None:
    options = dataclasses.replace(NOTHING, turn=1.0)
    seen = [run(options, (20, 60), size=(60, 20), random=generator(seed))[1] for seed in range(20)]
    whole = [mask for mask in seen if (mask != 255).all()]
    assert {np.rot90(mask, quarters).tobytes() for mask in whole for quarters in (1, 3)} >= {scene(60, 20)[1].tobytes()}
    assert 0 < len(whole) < 20  # by half a turn, 20 rows of 60 are filled up


def test_multi_label_masks_are_turned_in_their_plane() -> None:
    planes = np.stack([(scene(40, 40)[1] == label).astype(np.uint8) for label in (3, 60)])
    image, mask = run(dataclasses.replace(NOTHING, turn=1.0), (40, 40), size=(40, 40), mask=planes)
    assert np.array_equal(mask[0] == 1, image[..., 0] == 3)
    assert np.array_equal(mask[1] == 1, image[..., 0] == 60)


def test_tiny_pictures() -> None:
    image, mask = run(Augment(), (32, 32), size=(1, 1))
    assert image.shape == (32, 32, 3)
    assert set(np.unique(mask)) <= {3, 60, 200, 255}


def test_crops_cover_every_position() -> None:
    mask = np.zeros((5, 7), np.uint8)
    found = set()
    random = generator()
    for _ in range(200):
        rows, columns = choose_crop(mask, (4, 4), 255, 1.0, random)
        assert (rows.stop - rows.start, columns.stop - columns.start) == (4, 4)
        found.add((rows.start, columns.start))
    assert found == {(top, left) for top in range(2) for left in range(4)}


def test_a_crop_of_many_classes_is_found() -> None:
    """Windows of 4 x 4 in a 5 x 5 mask: only the one at the lower right holds enough of the second class."""
    mask = np.zeros((5, 5), np.uint8)
    mask[4, :] = mask[:, 4] = 1  # 7 of 16 pixels there, 4 or none elsewhere
    found = [tuple(part.start for part in choose_crop(mask, (4, 4), 255, 0.75, generator(seed))) for seed in range(100)]
    share = found.count((1, 1)) / 100
    assert share > 0.85  # 1 - 0.75 ** 10 is 0.94; without the rule it would be 0.25


def test_the_rule_leaves_ignored_pixels_out() -> None:
    mask = np.full((6, 6), 255, np.uint8)
    mask[0, 0], mask[5, 5] = 0, 1
    mask[4, 4] = 0  # at the lower right one pixel of each class, at the upper left one class alone
    starts = [choose_crop(mask, (4, 4), 255, 0.75, generator(seed))[0].start for seed in range(100)]
    assert starts.count(2) > 60  # without the rule it would be a third


@pytest.mark.parametrize(("share", "windows"), [(0.75, 10), (1.0, 1)])
def test_the_rule_gives_up_after_ten_windows_and_can_be_switched_off(share: float, windows: int) -> None:
    class Counted:
        calls = 0

        def integers(self, high: int) -> int:
            self.calls += 1
            return 0

    random = Counted()
    choose_crop(np.zeros((9, 9), np.uint8), (4, 4), 255, share, random)  # type: ignore[arg-type]
    assert random.calls == 2 * windows


def test_linear_rounds_and_clips() -> None:
    image = np.array([[[0, 100, 200]]], np.uint8)
    assert linear(image, 1.5, 0.0).tolist() == [[[0, 150, 255]]]
    assert linear(image, 1.0, -30.4).tolist() == [[[0, 70, 170]]]
    assert linear(image, 1.0, 0.0) is image


def test_turning_colors() -> None:
    image = np.array([[[255, 0, 0], [90, 90, 90], [200, 100, 100]]], np.uint8)
    assert turn_colors(image, 1.0, 60).tolist()[0][0] == [0, 255, 0]  # 120 degrees: red to green
    assert turn_colors(image, 1.0, -60).tolist()[0][0] == [0, 0, 255]
    assert turn_colors(image, 1.0, 60).tolist()[0][1] == [90, 90, 90]  # grey has no hue
    assert turn_colors(image, 0.0, 0).tolist()[0] == [[255, 255, 255], [90, 90, 90], [200, 200, 200]]
    assert turn_colors(image, 1.0, 0) is image


def test_distortion_can_be_switched_off() -> None:
    image = generator().integers(0, 256, (8, 8, 3), np.uint8)
    for seed in range(20):
        assert np.array_equal(distort_colors(image, NOTHING, generator(seed)), image)


def test_brightness_stays_in_its_range() -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    options = dataclasses.replace(NOTHING, brightness=32.0)
    values = [int(distort_colors(image, options, generator(seed))[0, 0, 0]) for seed in range(200)]
    assert min(values) >= 68
    assert max(values) <= 132
    assert min(values) < 75
    assert max(values) > 125
    assert 60 < values.count(100) < 140  # applied every other time


def test_contrast_saturation_and_hue_stay_in_their_ranges() -> None:
    grey = np.full((1, 1, 3), 100, np.uint8)
    contrast = dataclasses.replace(NOTHING, contrast=(0.5, 1.5))
    values = [int(distort_colors(grey, contrast, generator(seed))[0, 0, 0]) for seed in range(200)]
    assert 50 <= min(values) < 60
    assert 140 < max(values) <= 150

    color = np.array([[[200, 100, 100]]], np.uint8)  # saturation 127.5 of 255
    saturation = dataclasses.replace(NOTHING, saturation=(0.5, 1.5))
    distorted = [distort_colors(color, saturation, generator(seed)) for seed in range(200)]
    values = [int(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[0, 0, 1]) for image in distorted]
    assert 62 <= min(values) < 75
    assert 180 < max(values) <= 193

    red = np.array([[[255, 0, 0]]], np.uint8)
    hue = dataclasses.replace(NOTHING, hue=18)
    turned = [distort_colors(red, hue, generator(seed)) for seed in range(200)]
    steps = [(int(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[0, 0, 0]) + 90) % 180 - 90 for image in turned]
    assert (min(steps), max(steps)) == (-18, 18)


def test_contrast_comes_before_or_after_the_colors() -> None:
    """Bright red made darker before the colours can be told from after them only by clipping in between."""
    image = np.full((1, 1, 3), 240, np.uint8)
    options = dataclasses.replace(NOTHING, brightness=100.0, contrast=(0.5, 0.5))
    values = {int(distort_colors(image, options, generator(seed))[0, 0, 0]) for seed in range(100)}
    assert 240 in values  # neither
    assert 120 in values  # contrast alone
    assert 255 in values  # brightness alone, clipped


def test_padding_is_at_the_bottom_and_the_right() -> None:
    mask = np.array([[1, 2]], np.uint8)
    assert pad(mask, (2, 3), [9]).tolist() == [[1, 2, 9], [9, 9, 9]]
    image = np.array([[[1, 2, 3]]], np.uint8)
    assert pad(image, (1, 2), [7, 8, 9]).tolist() == [[[1, 2, 3], [7, 8, 9]]]
    assert pad(mask, (1, 2), [9]).tolist() == [[1, 2]]


def test_resize_takes_height_and_width() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert resize(image, (8, 3), cv2.INTER_LINEAR).shape == (8, 3, 3)
    assert resize(image[..., 0], (1, 1), cv2.INTER_NEAREST).shape == (1, 1)


def test_bands_are_resized_cropped_and_flipped_like_their_mask() -> None:
    mask = scene(40, 60)[1]
    bands = np.stack([mask * factor for factor in (1.0, 300.0, -2.0, 0.5, 7.0)], axis=2).astype(np.float32)
    options = dataclasses.replace(NOTHING, scale=(0.5, 0.5), flip=1.0)
    arguments: dict[str, Any] = {"base_size": (40, 60), "ignore": 255, "mean": (0.0,) * 5, "std": (1.0,) * 5}
    image, labels = augment(bands, mask, crop=(32, 32), options=options, random=generator(), **arguments)
    assert image.shape == (32, 32, 5)
    assert image.dtype == np.float32
    inside = labels != 255
    assert np.isnan(image[~inside]).all()  # the padding below
    assert not np.isnan(image[inside]).any()
    np.testing.assert_allclose(image[inside][:, 1], 300 * image[inside][:, 0], rtol=1e-5)
    assert (np.abs(image[inside][:, 0] - labels[inside]) < 100).mean() > 0.9
    arguments |= {"mean": (0.0,), "std": (1.0,)}
    one = augment(bands[..., :1], mask, crop=(32, 32), options=options, random=generator(), **arguments)[0]
    assert np.array_equal(one, image[..., :1], equal_nan=True)


def test_bands_are_distorted_in_their_own_units() -> None:
    mean, std = (100.0, 290.0), (50.0, 2.0)
    image = np.array([[[100, 290], [150, 292], [np.nan, 286]]], np.float32)
    brighter = dataclasses.replace(NOTHING, brightness=57.6)
    sums: set[float] = set()
    for seed in range(40):
        moved = (distort_bands(image, mean, std, brighter, generator(seed)) - image) / np.array(std, np.float32)
        assert np.nanmax(moved) - np.nanmin(moved) < 1e-4  # all bands by the same number of deviations
        sums.add(round(float(moved[0, 0, 0]), 4))
    assert 10 < len(sums) < 31  # in about half the cases by nothing
    assert max(map(abs, sums)) <= 1
    stretched = dataclasses.replace(NOTHING, contrast=(1.5, 1.5))
    results = {distort_bands(image, mean, std, stretched, generator(seed))[0, 1].tolist()[0] for seed in range(20)}
    assert results == {150.0, 175.0}
    assert np.isnan(distort_bands(image, mean, std, stretched, generator(0))[0, 2, 0])


@pytest.mark.parametrize("seed", range(8))
def test_planes_of_multi_label_masks_stay_with_their_picture(seed: int) -> None:
    """Each plane is what a mask of that class alone would become."""
    image, mask = scene(40, 60)
    planes = np.stack([mask == 3, mask == 60]).astype(np.uint8)
    arguments: dict[str, Any] = {"base_size": (40, 60), "crop": (32, 48), "ignore": 255, "mean": MEAN, "std": STD}
    options = dataclasses.replace(Augment(), max_class_share=1.0)
    changed, found = augment(image, planes, **arguments, options=options, random=generator(seed))
    expected_image, expected = augment(image, mask, **arguments, options=options, random=generator(seed))
    assert np.array_equal(changed, expected_image)
    assert found.shape == (2, 32, 48)
    known = expected != 255
    assert np.array_equal(found[0] == 1, expected == 3)
    assert np.array_equal(found[1] == 1, expected == 60)
    assert (found[:, ~known] == 255).all()
    assert (found[:, known] < 2).all()
