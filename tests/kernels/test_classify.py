"""Labels and confidence from low-resolution logits, against torch's resize, softmax and argmax."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from segnext.kernels.average import Look, mean_probabilities
from segnext.kernels.classify import classify
from segnext.kernels.decide import decide


def plain(logits: NDArray[np.float32], covered: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The logits at full resolution, (classes, H, W)."""
    low = torch.from_numpy(logits).permute(2, 0, 1)[None].contiguous()
    high = F.interpolate(low, size=covered, mode="bilinear", align_corners=False)
    return high[0, :, : size[0], : size[1]]


@pytest.mark.parametrize(
    ("shape", "covered", "size"),
    [
        ((8, 12, 5), (64, 96), (64, 96)),
        ((8, 12, 5), (64, 96), (50, 75)),  # padded
        ((45, 60, 11), (720, 960), (720, 960)),  # resized for the network
        ((7, 5, 3), (33, 71), (33, 71)),
        ((8, 8, 4), (5, 6), (5, 6)),  # smaller than the logits
        ((1, 1, 2), (3, 300), (2, 299)),
        ((1, 9, 150), (20, 100), (20, 100)),
        ((6, 6, 256), (48, 48), (48, 48)),
        ((4, 4, 1), (32, 32), (32, 32)),
    ],
)
@pytest.mark.parametrize("contrast", [0.01, 3.0, 60.0])  # many candidates in a cell, a few, and nearly always one
def test_it_is_the_resize_and_argmax(
    shape: tuple[int, int, int], covered: tuple[int, int], size: tuple[int, int], contrast: float
) -> None:
    logits = np.random.default_rng(0).standard_normal(shape, np.float32) * np.float32(contrast)
    expected = plain(logits, covered, size)
    labels, nothing = classify(logits, covered, size)
    again, probability = classify(logits, covered, size, confidence=True)
    assert nothing is None
    assert probability is not None
    assert labels.shape == probability.shape == size
    assert labels.dtype == np.uint8
    assert probability.dtype == np.float32
    np.testing.assert_array_equal(labels, again)
    best = expected.topk(min(2, shape[2]), dim=0).values
    tie = (best[0] - best[-1] < 1e-5 * contrast).numpy() if shape[2] > 1 else np.zeros(size, bool)
    assert tie.mean() < 0.01
    np.testing.assert_array_equal(labels[~tie], expected.argmax(0).numpy()[~tie])
    np.testing.assert_allclose(probability, expected.softmax(0).amax(0), atol=1e-5 + 1e-6 * contrast)


def test_by_hand() -> None:
    # One pixel, three classes: exp gives 2, 1, 5, so the third has 5 / 8.
    labels, probability = classify(np.log([[[2.0, 1.0, 5.0]]]).astype(np.float32), (1, 1), (1, 1), confidence=True)
    assert probability is not None
    assert labels.item() == 2
    assert probability.item() == pytest.approx(0.625)


def test_the_first_of_equals_wins_and_large_values_do_not_overflow() -> None:
    labels, probability = classify(np.full((2, 2, 4), 1e30, np.float32), (5, 5), (5, 5), confidence=True)
    assert (labels == 0).all()
    assert probability is not None
    np.testing.assert_allclose(probability, 0.25)


def test_rows_are_the_same_whatever_is_below_them() -> None:
    logits = np.random.default_rng(1).standard_normal((9, 7, 6), np.float32)
    whole, _ = classify(logits, (72, 56), (72, 56))
    part, _ = classify(logits[:5], (40, 56), (36, 56))
    np.testing.assert_array_equal(part, whole[:36])


@pytest.mark.parametrize(
    ("shape", "covered", "size", "corners"),
    [
        ((8, 12, 5), (64, 96), (50, 75), 0),
        ((45, 60, 11), (720, 961), (717, 961), 0),  # in fractions of positions
        ((8, 8, 4), (5, 6), (5, 6), 0),
        ((9, 13, 150), (72, 104), (70, 101), 8),
    ],
)
@pytest.mark.parametrize("confidence", [False, True])
def test_strips_are_the_whole_to_the_byte(
    shape: tuple[int, int, int], covered: tuple[int, int], size: tuple[int, int], corners: int, confidence: bool
) -> None:
    random = np.random.default_rng(0)
    looks = [Look(random.standard_normal(shape, np.float32), covered, mirrored, corners) for mirrored in (False, True)]
    height = size[0]
    for some in (looks[:1], looks):
        labels, probability = decide(some, size, confidence=confidence)
        chances = mean_probabilities(some, size)
        for cuts in ([0, 1, height], [0, 3, 4, height], [*range(0, height, 64), height]):
            for top, bottom in pairwise(cuts):
                rows = range(top, bottom)
                strip, sure = decide(some, size, confidence=confidence, rows=rows)
                np.testing.assert_array_equal(strip, labels[top:bottom])
                np.testing.assert_array_equal(mean_probabilities(some, size, rows=rows), chances[:, top:bottom])
                if probability is None:
                    assert sure is None
                else:
                    np.testing.assert_array_equal(sure, probability[top:bottom])


@pytest.mark.parametrize("corners", [0, 8])
@pytest.mark.parametrize("looks", [1, 2])
def test_tensors_are_decided_where_they_are(looks: int, corners: int) -> None:
    random = np.random.default_rng(0)
    here = [Look(random.standard_normal((9, 13, 5), np.float32), (72, 104), n > 0, corners) for n in range(looks)]
    there = [look._replace(logits=torch.from_numpy(look.logits)) for look in here]
    for rows in (range(70), range(5, 69)):
        labels, probability = decide(here, (70, 101), confidence=True, rows=rows)
        others, chances = decide(there, (70, 101), confidence=True, rows=rows)
        assert others.dtype == np.uint8
        assert (labels == others).mean() > 0.9999
        np.testing.assert_array_equal(others, decide(there, (70, 101), rows=rows)[0])
        assert probability is not None
        assert chances is not None
        np.testing.assert_allclose(chances, probability, atol=1e-5)
    np.testing.assert_allclose(mean_probabilities(there, (70, 101)), mean_probabilities(here, (70, 101)), atol=1e-6)
