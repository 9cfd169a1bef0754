"""What multi-label weights say of a picture, and the files of it."""

import math
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from segnext.data.planes import read_planes
from segnext.errors import SegNextError
from segnext.inference.multi_label import MultiLabelResult, certainty, check_threshold, find_planes, presence
from segnext.inference.overlay import paint
from segnext.kernels.average import Look
from segnext.labels import Labels

LABELS = Labels("toy", ("disc", "square", "nowhere"), ((200, 0, 0), (0, 0, 100), (0, 9, 0)), 255, multi_label=True)


def scores(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, 8, 3)).astype(np.float32)


def result(height: int = 40, width: int = 60) -> MultiLabelResult:
    """The left two thirds disc, the right two thirds square, over a grey picture."""
    planes = np.zeros((3, height, width), np.uint8)
    planes[0, :, : 2 * width // 3] = 1
    planes[1, :, width // 3 :] = 1
    image = np.full((height, width, 3), 100, np.uint8)
    return MultiLabelResult(image, planes, lambda: np.full(planes.shape, 0.75, np.float32), LABELS, 0.5)


@pytest.mark.parametrize(("covered", "size"), [((48, 64), (48, 64)), ((48, 64), (45, 61)), ((5, 7), (5, 7))])
@pytest.mark.parametrize("threshold", [0.5, 0.2])
def test_planes_are_those_of_torch(covered: tuple[int, int], size: tuple[int, int], threshold: float) -> None:
    looks = [Look(scores(0), covered), Look(scores(1), covered, mirrored=True)]
    chances = np.zeros((3, *size))
    for look in looks:
        logits = torch.from_numpy(look.logits).permute(2, 0, 1)[None]
        large = torch.nn.functional.interpolate(logits, covered, mode="bilinear", align_corners=False)
        one = large[0, :, : size[0], : size[1]].double().sigmoid().numpy()
        chances += (one[..., ::-1] if look.mirrored else one) / 2
    np.testing.assert_allclose(presence(looks, size), chances, atol=1e-6)
    found = find_planes(looks, size, threshold)
    assert found.dtype == np.uint8
    assert found.shape == (3, *size)
    sure = abs(chances - threshold) > 1e-6
    assert (found == (chances > threshold))[sure].all()
    expected = np.where(found == 1, chances, 1 - chances)
    np.testing.assert_allclose(certainty(looks, size, found), expected, atol=1e-6)


def test_sure_scores_have_a_certainty() -> None:
    looks = [Look(np.full((1, 1, 2), [200.0, -200.0], np.float32), (1, 1))]
    assert certainty(looks, (1, 1), np.ones((2, 1, 1), np.uint8)).ravel().tolist() == [1.0, 0.0]


def test_the_threshold_by_hand() -> None:
    looks = [Look(np.full((1, 1, 2), [math.log(3), -math.log(3)], np.float32), (1, 1))]  # 3/4 and 1/4
    assert find_planes(looks, (1, 1), 0.76).ravel().tolist() == [0, 0]
    assert find_planes(looks, (1, 1), 0.74).ravel().tolist() == [1, 0]
    assert find_planes(looks, (1, 1), 0.24).ravel().tolist() == [1, 1]


def test_thresholds_that_mean_nothing() -> None:
    assert check_threshold(None, multi_label=False) == check_threshold(None, multi_label=True) == 0.5
    with pytest.raises(SegNextError, match="a threshold is for multi-label ones, leave it out"):
        check_threshold(0.5, multi_label=False)
    for wrong in (0.0, 1.0, -3.0):
        with pytest.raises(SegNextError, match=f"the threshold is {wrong}; it is a probability"):
            check_threshold(wrong, multi_label=True)


def test_shares_may_be_more_than_one() -> None:
    assert result().shares == {"disc": pytest.approx(2 / 3), "square": pytest.approx(2 / 3), "nowhere": 0.0}
    assert result().mean_confidence == 0.75
    with pytest.raises(SegNextError, match=r"take those of mask_images\(\)"):
        result().mask_image()


def test_colours_of_several_classes_are_mixed() -> None:
    found = result()
    painted = paint(found.image, found.mask, LABELS)
    assert painted[20, 10].tolist() == [150, 50, 50]  # half red, half grey
    assert painted[20, 50].tolist() == [50, 50, 100]
    assert painted[20, 30].tolist() == [100, 50, 75]
    assert [200, 0, 0] in painted[20, 37:43].tolist()  # where the disc ends
    assert [0, 0, 100] in painted[20, 17:23].tolist()
    nothing = paint(found.image, np.zeros_like(found.mask), LABELS)
    assert (nothing == found.image).all()


@pytest.mark.parametrize("size", [(40, 60), (400, 300)])
def test_the_legend_names_what_occurs(size: tuple[int, int]) -> None:
    overlay = np.asarray(result(*size).overlay())
    factor = 4 if size == (40, 60) else 1
    beside = overlay[:, size[1] * factor :] if size[0] > size[1] else overlay[size[0] * factor :]
    for color, there in (((200, 0, 0), True), ((0, 0, 100), True), ((0, 9, 0), False)):
        assert (beside == color).all(axis=2).any() == there


def test_files_are_those_that_training_reads(tmp_path: Path) -> None:
    found = result()
    (tmp_path / "image.masks").mkdir()
    for name in ("nowhere", "disc"):  # of an earlier prediction
        PIL.Image.new("L", (1, 1)).save(tmp_path / f"image.masks/{name}.png")
    found.save(tmp_path)
    assert sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.png")) == [
        "image.masks/disc.png",
        "image.masks/square.png",
        "image.overlay.png",
    ]
    np.testing.assert_array_equal(read_planes(tmp_path / "image.masks", LABELS, lambda: (0, 0)), found.mask)
