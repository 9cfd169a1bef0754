"""Losses for multi-label masks: values by hand, gradients by differences, ignored pixels."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.training.losses import sigmoid
from segnext.training.losses.parts import Parts

IGNORE = 255
LN2, LN4, LN43 = math.log(2), math.log(4), math.log(4 / 3)
# One class, three pixels, with probabilities 1/2, 3/4, and what does not matter.
LOGITS = torch.tensor([[[[0.0, math.log(3.0), 5.0]]]])
TARGET = torch.tensor([[[[1, 0, IGNORE]]]], dtype=torch.uint8)

Loss = Callable[[Tensor, Tensor, int], Parts]


def losses(dtype: torch.dtype = torch.float32) -> dict[str, Loss]:
    weights = torch.tensor([[1.0, 0.5, 1.0], [0.2, 1.0, 5.0]], dtype=dtype)
    return {
        "cross_entropy": sigmoid.cross_entropy,
        "weighted": partial(sigmoid.cross_entropy, class_weights=weights, smoothing=0.1),
        "focal": partial(sigmoid.focal, gamma=2.0),
        "focal_half": partial(sigmoid.focal, gamma=0.5, class_weights=weights),
        "dice": sigmoid.dice,
        "lovasz": sigmoid.lovasz_hinge,
    }


ALL = losses()
every = pytest.mark.parametrize("name", ALL)


def mean(parts: Parts) -> float:
    total, weight = parts
    return total.item() / weight.item()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn((2, 3, 4, 5), generator=generator)
    target = torch.randint(0, 2, (2, 3, 4, 5), generator=generator, dtype=torch.uint8)
    target[1, 2] = 0  # a class that the second picture lacks
    target[0, :, 1:3] = IGNORE
    return logits, target


def test_cross_entropy_by_hand() -> None:
    assert mean(sigmoid.cross_entropy(LOGITS, TARGET, IGNORE)) == pytest.approx((LN2 + LN4) / 2)
    weights = torch.tensor([[1.0], [3.0]])  # where it is not, where it is
    assert mean(sigmoid.cross_entropy(LOGITS, TARGET, IGNORE, weights)) == pytest.approx((3 * LN2 + LN4) / 4)
    smooth = sigmoid.cross_entropy(LOGITS, TARGET, IGNORE, smoothing=0.2)
    assert mean(smooth) == pytest.approx((LN2 + 0.9 * LN4 + 0.1 * LN43) / 2)


def test_cross_entropy_is_torchs_mean() -> None:
    logits, target = batch()
    known = target != IGNORE
    expected = F.binary_cross_entropy_with_logits(logits[known], target[known].float())
    assert mean(sigmoid.cross_entropy(logits, target, IGNORE)) == pytest.approx(expected.item(), rel=1e-6)


def test_focal_by_hand() -> None:
    assert mean(sigmoid.focal(LOGITS, TARGET, IGNORE, gamma=2.0)) == pytest.approx((LN2 / 4 + LN4 * 9 / 16) / 2)


def test_dice_by_hand() -> None:
    assert mean(sigmoid.dice(LOGITS, TARGET, IGNORE)) == pytest.approx(1 - 2 * 0.5 / (1.25 + 1))
    total, pairs = sigmoid.dice(LOGITS, torch.zeros_like(TARGET), IGNORE)
    assert total.item() == pairs.item() == 0


def test_lovasz_by_hand() -> None:
    # Hinge losses: 1 where the class is; 1 + log 3 where it is not, which halves the IoU and comes first.
    expected = (1 + math.log(3)) * 0.5 + 1 * 0.5
    assert mean(sigmoid.lovasz_hinge(LOGITS, TARGET, IGNORE)) == pytest.approx(expected)
    # Where the class is not at all, its worst pixel counts.
    absent = torch.tensor([[[[0, 0, IGNORE]]]], dtype=torch.uint8)
    assert mean(sigmoid.lovasz_hinge(LOGITS, absent, IGNORE)) == pytest.approx(1 + math.log(3))


def test_sure_right_answers_cost_nothing() -> None:
    _, target = batch()
    right = 20.0 * (2 * (target == 1).float() - 1)
    for name in ("dice", "lovasz"):
        assert mean(ALL[name](right, target, IGNORE)) == pytest.approx(0.0, abs=1e-6)


@every
def test_gradients_are_right(name: str) -> None:
    logits, target = batch()
    loss = losses(torch.float64)[name]
    assert torch.autograd.gradcheck(lambda x: loss(x, target, IGNORE)[0], logits.double().requires_grad_())


@every
def test_what_ignored_pixels_say_does_not_matter(name: str) -> None:
    logits, target = batch()
    other = torch.where(target == IGNORE, -7 * logits, logits).requires_grad_()
    total, weight = ALL[name](other, target, IGNORE)
    assert (total / weight).item() == pytest.approx(mean(ALL[name](logits, target, IGNORE)))
    (gradient,) = torch.autograd.grad(total, other)
    assert not gradient[target == IGNORE].any()
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
