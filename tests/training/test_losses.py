"""Cross entropy over the labelled pixels, and class weights."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segnext.training.losses import balanced_weights, class_frequencies, cross_entropy


def logits_and_target() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, 3, 5, 7), generator=generator, requires_grad=True)
    target = torch.randint(0, 3, (2, 5, 7), generator=generator)
    target[:, 1:3] = 255
    return logits, target


def test_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3.0), 5.0]], [[0.0, 0.0, 5.0]]]])  # (1, 2, 1, 3)
    target = torch.tensor([[[0, 1, 9]]])
    assert cross_entropy(logits, target, None, 9).item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    weighted = cross_entropy(logits, target, torch.tensor([3.0, 1.0]), 9)
    assert weighted.item() == pytest.approx((3 * math.log(2) + math.log(4)) / 4)


@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 5.0]])
def test_value_and_gradient_are_torchs_mean(weights: list[float] | None) -> None:
    class_weights = None if weights is None else torch.tensor(weights)
    logits, target = logits_and_target()
    loss = cross_entropy(logits, target, class_weights, 255)
    (gradient,) = torch.autograd.grad(loss, logits)
    expected = F.cross_entropy(logits, target, class_weights, ignore_index=255)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 5.0]])
def test_nothing_labelled_is_no_loss(weights: list[float] | None) -> None:
    class_weights = None if weights is None else torch.tensor(weights)
    logits, target = logits_and_target()
    loss = cross_entropy(logits, torch.full_like(target, 255), class_weights, 255)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits, target = logits_and_target()
    loss = cross_entropy(logits.bfloat16(), target, None, 255)
    assert loss.dtype == torch.float32
    assert loss.item() == cross_entropy(logits.bfloat16().float(), target, None, 255).item()


def test_frequencies_leave_ignored_pixels_out() -> None:
    masks = [np.array([[0, 0, 2]], np.uint8), np.array([[255], [0]], np.uint8)]
    assert class_frequencies(masks, 3).tolist() == [0.75, 0.0, 0.25]
    assert class_frequencies([np.full((2, 2), 255, np.uint8)], 3).tolist() == [0.0, 0.0, 0.0]


def test_balanced_weights_by_hand() -> None:
    frequencies = np.array([0.64, 0.36, 0.0])
    # 1 / 0.8 and 1 / 0.6 weigh 0.8 + 0.6 over all pixels
    assert balanced_weights(frequencies, 0.5).tolist() == pytest.approx([1.25 / 1.4, (1 / 0.6) / 1.4, 0.0])
    assert balanced_weights(frequencies, 1.0).tolist() == pytest.approx([1 / 1.28, 1 / 0.72, 0.0])
    assert balanced_weights(np.array([0.5, 0.5]), 0.0).tolist() == [1.0, 1.0]
    for power in (0.3, 0.5, 1.0):
        weights = balanced_weights(frequencies, power).double().numpy()
        assert (weights * frequencies).sum() == pytest.approx(1.0)


def test_weights_without_any_labelled_pixel_are_zero() -> None:
    assert balanced_weights(np.zeros(3), 0.5).tolist() == [0.0, 0.0, 0.0]
