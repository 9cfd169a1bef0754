"""Losses for one label per pixel: values by hand, gradients by differences, ignored pixels."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.training.losses import softmax
from segnext.training.losses.parts import Parts

IGNORE = 255
LN2, LN4 = math.log(2), math.log(4)
# Two classes, three pixels. Probabilities of class 0: 1/2, 3/4, and what does not matter.
LOGITS = torch.tensor([[[[0.0, math.log(3.0), 5.0]], [[0.0, 0.0, 5.0]]]])
TARGET = torch.tensor([[[0, 1, IGNORE]]])

Loss = Callable[[Tensor, Tensor, int], Parts]


def losses(dtype: torch.dtype = torch.float32) -> dict[str, Loss]:
    weights = torch.tensor([0.2, 1.0, 5.0], dtype=dtype)
    return {
        "cross_entropy": softmax.cross_entropy,
        "weighted": partial(softmax.cross_entropy, class_weights=weights, smoothing=0.1),
        "focal": partial(softmax.focal, gamma=2.0),
        "focal_half": partial(softmax.focal, gamma=0.5, class_weights=weights),
        "dice": softmax.dice,
        "lovasz": softmax.lovasz_softmax,
    }


ALL = losses()
every = pytest.mark.parametrize("name", ALL)


def mean(parts: Parts) -> float:
    total, weight = parts
    return total.item() / weight.item()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn((2, 3, 4, 5), generator=generator)
    target = torch.randint(0, 3, (2, 4, 5), generator=generator)
    target[0, 1:3] = IGNORE
    target[1][target[1] == 2] = IGNORE  # a class that the second picture lacks
    return logits, target


def test_cross_entropy_by_hand() -> None:
    assert mean(softmax.cross_entropy(LOGITS, TARGET, IGNORE)) == pytest.approx((LN2 + LN4) / 2)
    weights = torch.tensor([3.0, 1.0])
    assert mean(softmax.cross_entropy(LOGITS, TARGET, IGNORE, weights)) == pytest.approx((3 * LN2 + LN4) / 4)


def test_smoothing_by_hand() -> None:
    # Of the truth 0.2 goes to both classes alike: 0.9 and 0.1.
    second = 0.9 * LN4 + 0.1 * math.log(4 / 3)
    smooth = softmax.cross_entropy(LOGITS, TARGET, IGNORE, smoothing=0.2)
    assert mean(smooth) == pytest.approx((LN2 + second) / 2)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 5.0]])
def test_cross_entropy_is_torchs_mean(weights: list[float] | None, smoothing: float) -> None:
    class_weights = None if weights is None else torch.tensor(weights)
    logits, target = batch()
    found = mean(softmax.cross_entropy(logits, target, IGNORE, class_weights, smoothing))
    expected = F.cross_entropy(logits, target, class_weights, ignore_index=IGNORE, label_smoothing=smoothing)
    assert found == pytest.approx(expected.item(), rel=1e-6)


def hard(logits: Tensor, target: Tensor, threshold: float, min_kept: float) -> list[int]:
    return softmax.hard_pixels(logits, target, IGNORE, threshold=threshold, min_kept=min_kept).flatten().tolist()


def test_hard_pixels_are_those_below_the_threshold() -> None:
    # The truth gets 1/2 and 1/4.
    assert hard(LOGITS, TARGET, 0.6, 0.0) == [0, 1, IGNORE]
    assert hard(LOGITS, TARGET, 0.4, 0.0) == [IGNORE, 1, IGNORE]
    assert hard(LOGITS, TARGET, 0.2, 0.0) == [IGNORE] * 3


def test_so_many_hard_pixels_are_kept_of_each_picture() -> None:
    assert hard(LOGITS, TARGET, 0.2, 0.01) == [IGNORE, 1, IGNORE]  # the hardest of two
    assert hard(LOGITS, TARGET, 0.2, 0.5) == [IGNORE, 1, IGNORE]
    assert hard(LOGITS, TARGET, 0.2, 0.51) == [0, 1, IGNORE]
    easy = torch.tensor([[[[9.0, 8.0, 0.0]], [[0.0, 0.0, 0.0]]]])
    two = torch.cat([LOGITS, easy]), torch.cat([TARGET, torch.zeros_like(TARGET)])
    assert hard(*two, 0.3, 0.3) == [IGNORE, 1, IGNORE, IGNORE, IGNORE, 0]


def test_no_pixel_of_an_ignored_picture_is_hard() -> None:
    assert hard(LOGITS, torch.full_like(TARGET, IGNORE), 0.7, 1.0) == [IGNORE] * 3


def test_focal_by_hand() -> None:
    # p = 1/2 and 1/4, so that the factors are 1/4 and 9/16
    assert mean(softmax.focal(LOGITS, TARGET, IGNORE, gamma=2.0)) == pytest.approx((LN2 / 4 + LN4 * 9 / 16) / 2)
    weights = torch.tensor([3.0, 1.0])
    weighted = mean(softmax.focal(LOGITS, TARGET, IGNORE, weights, gamma=1.0))
    assert weighted == pytest.approx((3 * LN2 / 2 + LN4 * 3 / 4) / 4)


def test_focal_with_gamma_zero_is_cross_entropy() -> None:
    logits, target = batch()
    assert mean(softmax.focal(logits, target, IGNORE, gamma=0.0)) == pytest.approx(
        mean(softmax.cross_entropy(logits, target, IGNORE)), rel=1e-6
    )


def test_dice_by_hand() -> None:
    # class 0: p 1/2, 3/4, t 1, 0; class 1: p 1/2, 1/4, t 0, 1
    losses = 1 - 2 * 0.5 / (1.25 + 1), 1 - 2 * 0.25 / (0.75 + 1)
    assert mean(softmax.dice(LOGITS, TARGET, IGNORE)) == pytest.approx(sum(losses) / 2)


def test_dice_leaves_out_what_a_picture_lacks() -> None:
    target = torch.tensor([[[0, 0, IGNORE]]])
    total, pairs = softmax.dice(LOGITS, target, IGNORE)
    assert pairs.item() == 1
    assert total.item() == pytest.approx(1 - 2 * 1.25 / (1.25 + 2))


def test_lovasz_by_hand() -> None:
    # Errors of class 0: 1/2 at its pixel, 3/4 at the other; of class 1: 1/2 at the other, 3/4 at its own.
    first = 0.75 * 0.5 + 0.5 * 0.5  # the other pixel halves the IoU, then its own takes the rest
    second = 0.75 * 1.0 + 0.5 * 0.0  # its only pixel takes all
    assert mean(softmax.lovasz_softmax(LOGITS, TARGET, IGNORE)) == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("loss", [softmax.dice, softmax.lovasz_softmax])
def test_certain_answers_cost_nothing_if_right_and_one_if_wrong(loss: Loss) -> None:
    _, target = batch()
    right = 200.0 * F.one_hot(target.clamp(max=2), 3).permute(0, 3, 1, 2)
    assert mean(loss(right, target, IGNORE)) == pytest.approx(0.0, abs=1e-6)
    assert mean(loss(right.roll(1, 1), target, IGNORE)) == pytest.approx(1.0, abs=1e-6)


@every
def test_gradients_are_right(name: str) -> None:
    logits, target = batch()
    loss = losses(torch.float64)[name]
    assert torch.autograd.gradcheck(lambda x: loss(x, target, IGNORE)[0], logits.double().requires_grad_())


@every
def test_what_ignored_pixels_say_does_not_matter(name: str) -> None:
    logits, target = batch()
    other = torch.where((target == IGNORE)[:, None], -7 * logits, logits).requires_grad_()
    total, weight = ALL[name](other, target, IGNORE)
    assert (total / weight).item() == pytest.approx(mean(ALL[name](logits, target, IGNORE)))
    (gradient,) = torch.autograd.grad(total, other)
    assert not gradient.masked_select((target == IGNORE)[:, None]).any()
    assert gradient.any()


@every
def test_nothing_labelled_is_no_loss(name: str) -> None:
    logits, target = batch()
    logits.requires_grad_()
    total, weight = ALL[name](logits, torch.full_like(target, IGNORE), IGNORE)
    assert total.item() == weight.item() == 0.0
    (gradient,) = torch.autograd.grad(total, logits)
    assert not gradient.any()


@every
def test_certain_pixels_have_finite_gradients(name: str) -> None:
    logits, target = batch()
    certain = (1e4 * logits).requires_grad_()
    total, _ = ALL[name](certain, target, IGNORE)
    (gradient,) = torch.autograd.grad(total, certain)
    assert total.isfinite()
    assert gradient.isfinite().all()


@every
def test_half_precision_logits_are_summed_in_float32(name: str) -> None:
    logits, target = batch()
    half = logits.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        total, weight = ALL[name](half, target, IGNORE)
    assert total.dtype == weight.dtype == torch.float32
    expected = ALL[name](half.float(), target, IGNORE)
    assert (total.item(), weight.item()) == (expected[0].item(), expected[1].item())


@every
def test_a_batch_is_the_sum_of_its_pictures(name: str) -> None:
    logits, target = batch()
    whole = ALL[name](logits, target, IGNORE)
    parts = [ALL[name](logits[i : i + 1], target[i : i + 1], IGNORE) for i in range(2)]
    for found, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert found.item() == pytest.approx(sum(piece.item() for piece in pieces), rel=1e-6)
