"""Probabilities averaged over looks, against torch's resize and softmax of each."""

import tracemalloc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.kernels import average
from segnext.kernels.average import Look, mean_probabilities, vote
from segnext.kernels.enlarge import enlarge

RANDOM = np.random.default_rng(0)


def look(h: int, w: int, covered: tuple[int, int], mirrored: bool, classes: int = 5) -> Look:
    return Look(3 * RANDOM.standard_normal((h, w, classes), np.float32), covered, mirrored)


def plain(one: Look, size: tuple[int, int]) -> Tensor:
    """Softmax of the logits at full resolution, mirrored back, (classes, H, W)."""
    low = torch.from_numpy(one.logits).permute(2, 0, 1)[None].contiguous()
    high = F.interpolate(low, size=[int(side) for side in one.covered], mode="bilinear", align_corners=False)
    probability = high[0, :, : size[0], : size[1]].softmax(0)
    return probability.flip(2) if one.mirrored else probability


@pytest.mark.parametrize("size", [(50, 75), (33, 1), (8, 9)])
def test_it_is_the_mean_of_softmaxes(size: tuple[int, int]) -> None:
    looks = [
        look(8, 12, (64, 96), False),
        look(8, 12, (64, 96), True),  # padded on the right of the mirrored picture: on the left of the picture
        look(16, 20, (50, 75), True),
        look(1, 1, (60, 80), False),
    ]
    expected = torch.stack([plain(one, size) for one in looks]).mean(0)
    labels, nothing = vote(looks, size)
    again, probability = vote(looks, size, confidence=True)
    assert nothing is None
    assert probability is not None
    np.testing.assert_array_equal(labels, expected.argmax(0))
    np.testing.assert_array_equal(again, labels)
    np.testing.assert_allclose(probability, expected.amax(0), atol=2e-6)
    np.testing.assert_allclose(mean_probabilities(looks, size), expected, atol=2e-6)
    assert labels.dtype == np.uint8
    assert probability.dtype == np.float32


def test_by_hand() -> None:
    # exp gives 1 : 3 and 7 : 1, so 1/4 and 3/4, then 7/8 and 1/8: means of 9/16 and 7/16. Of logits it would be 7 : 3.
    looks = [Look(np.log([[numbers]]).astype(np.float32), (1, 1)) for numbers in ([1.0, 3.0], [7.0, 1.0])]
    labels, probability = vote(looks, (1, 1), confidence=True)
    assert probability is not None
    assert labels.item() == 0
    assert probability.item() == pytest.approx(9 / 16)
    assert mean_probabilities(looks, (1, 1)).ravel().tolist() == pytest.approx([9 / 16, 7 / 16])


def test_a_mirrored_look_is_turned_back() -> None:
    logits = np.zeros((1, 3, 2), np.float32)
    logits[0, 0, 1] = 5  # class 1 on the left of the mirrored picture
    assert vote([Look(logits, (1, 3), True)], (1, 3))[0].tolist() == [[0, 0, 1]]
    assert vote([Look(logits, (1, 3), False)], (1, 3))[0].tolist() == [[1, 0, 0]]


def test_proportions_that_are_no_whole_pixels() -> None:
    # 10 positions over 20.5 pixels are those over 41, at every second pixel's edge.
    logits = RANDOM.standard_normal((1, 10, 1), np.float32)
    half = enlarge(logits, (1, 20.5), (1, 20))
    twice = enlarge(logits, (1, 41), (1, 41))
    np.testing.assert_allclose(half[0, 0], (twice[0, 0, 0:40:2] + twice[0, 0, 1:40:2]) / 2, atol=0.3)
    inside = (np.arange(20) + 0.5) * 10 / 20.5 - 0.5
    np.testing.assert_allclose(half[0, 0], np.interp(inside, np.arange(10), logits[0, :, 0]), atol=1e-5)


def test_memory_does_not_grow_with_classes_times_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(average, "cores", lambda: 2)
    looks = [look(8, 8, (800, 300), False, classes=50)] * 3
    vote(looks, (800, 300))  # compiled
    tracemalloc.start()
    try:
        vote(looks, (800, 300))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 50 * 800 * 300 / 10, "a tenth of one picture's probabilities"
