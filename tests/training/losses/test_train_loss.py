"""The weighted sum of losses, what its settings may be, and class weights."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from segnext.cli.train import parse
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.training.config import TrainConfig
from segnext.training.losses import sigmoid, softmax
from segnext.training.losses.class_weights import balanced_weights, given_weights
from segnext.training.losses.config import Loss
from segnext.training.losses.total import TrainLoss

LABELS = Labels("three", ("road", "car", "sky"), ((0, 0, 0),) * 3)
MULTI = Labels("three", ("road", "car", "sky"), ((0, 0, 0),) * 3, multi_label=True)


def batch(multi_label: bool = False) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((4, 3, 5, 7), generator=generator, requires_grad=True)
    if multi_label:
        return logits, torch.randint(0, 2, (4, 3, 5, 7), generator=generator, dtype=torch.uint8)
    return logits, torch.randint(0, 3, (4, 5, 7), generator=generator)


def mean(parts: tuple[Tensor, Tensor]) -> float:
    return parts[0].item() / parts[1].item()


def test_the_default_is_torchs_cross_entropy() -> None:
    logits, target = batch()
    target[:, 1:3] = 255
    loss = TrainLoss(Loss(), LABELS, None)(logits, target)
    (gradient,) = torch.autograd.grad(loss, logits)
    expected = torch.nn.functional.cross_entropy(logits, target, ignore_index=255, reduction="sum")
    expected = expected / (target != 255).sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.equal(gradient, torch.autograd.grad(expected, logits)[0])


def test_a_sum_has_its_weights() -> None:
    logits, target = batch()
    loss = TrainLoss(Loss(cross_entropy=0.5, dice=2.0, lovasz=0.25, focal=1.0, focal_gamma=1.0), LABELS, None)
    expected = (
        0.5 * mean(softmax.cross_entropy(logits, target, 255))
        + 2.0 * mean(softmax.dice(logits, target, 255))
        + 0.25 * mean(softmax.lovasz_softmax(logits, target, 255))
        + mean(softmax.focal(logits, target, 255, gamma=1.0))
    )
    assert loss(logits, target).item() == pytest.approx(expected, rel=1e-6)


def test_ohem_is_the_cross_entropy_of_hard_pixels() -> None:
    logits, target = batch()
    weights = torch.tensor([1.0, 2.0, 3.0])
    config = Loss(cross_entropy=0.0, ohem=1.0, ohem_threshold=0.2, ohem_min_kept=0.0, label_smoothing=0.1)
    chances = logits.softmax(1).gather(1, target[:, None])[:, 0]
    expected = torch.nn.functional.cross_entropy(
        logits, target.masked_fill(chances >= 0.2, 255), weights, ignore_index=255, label_smoothing=0.1
    )
    assert TrainLoss(config, LABELS, weights)(logits, target).item() == pytest.approx(expected.item(), rel=1e-6)


def test_multi_label_masks_have_losses_of_their_own() -> None:
    logits, target = batch(multi_label=True)
    loss = TrainLoss(Loss(dice=2.0, lovasz=0.25), MULTI, None)
    expected = (
        mean(sigmoid.cross_entropy(logits, target, 255))
        + 2.0 * mean(sigmoid.dice(logits, target, 255))
        + 0.25 * mean(sigmoid.lovasz_hinge(logits, target, 255))
    )
    assert loss(logits, target).item() == pytest.approx(expected, rel=1e-6)
    with pytest.raises(SegNextError, match=r"loss\.ohem is for masks of one label per pixel"):
        TrainLoss(Loss(ohem=1.0), MULTI, None)


@pytest.mark.parametrize("labels", [LABELS, MULTI])
def test_the_loss_does_not_depend_on_how_processes_share_a_batch(labels: Labels) -> None:
    logits, target = batch(labels.multi_label)
    target[..., 1:3, :] = 255
    target[0] = 255  # so that the two halves count differently
    ohem = 0.0 if labels.multi_label else 1.0
    weights = torch.tensor([1.0, 2.0, 3.0])
    config = Loss(cross_entropy=1.0, ohem=ohem, focal=1.0, dice=1.0, lovasz=1.0)
    loss = TrainLoss(config, labels, torch.stack([weights, weights]) if labels.multi_label else weights)
    whole = loss(logits, target)
    divisors: list[list[Tensor]] = []
    for half in (slice(0, 2), slice(2, 4)):
        divisors.append([term(logits[half], target[half], 255)[1] for _, _, term in loss.terms])
    means = [(one + two) / 2 for one, two in zip(*divisors, strict=True)]
    halves = []
    for half in (slice(0, 2), slice(2, 4)):
        shared = iter(means)
        halves.append(loss(logits[half], target[half], lambda _, shared=shared: next(shared)))  # type: ignore[misc]
    together = (halves[0] + halves[1]) / 2
    assert together.item() == pytest.approx(whole.item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(whole, logits)
    torch.testing.assert_close(torch.autograd.grad(together, logits)[0], gradient)


@pytest.mark.parametrize("labels", [LABELS, MULTI])
def test_nothing_labelled_is_no_loss(labels: Labels) -> None:
    logits, target = batch(labels.multi_label)
    ohem = 0.0 if labels.multi_label else 1.0
    config = Loss(cross_entropy=1.0, ohem=ohem, focal=1.0, dice=1.0, lovasz=1.0)
    loss = TrainLoss(config, labels, None)(logits, torch.full_like(target, 255))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0.0
    assert not gradient.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dice": -1.0}, r"loss\.dice is -1\.0; it must be a number from 0 on"),
        ({"cross_entropy": float("nan")}, r"loss\.cross_entropy is nan"),
        ({"cross_entropy": 0.0}, "every loss weighs 0; give one of cross_entropy, ohem"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; it must be at least 0 and below 1"),
        ({"cross_entropy": 0.0, "dice": 1.0, "label_smoothing": 0.1}, "for cross_entropy and ohem, which weigh 0"),
        ({"ohem_threshold": 0.0}, "ohem_threshold is 0.0"),
        ({"ohem_min_kept": 100_000}, "ohem_min_kept is 100000; it must be a share of the pixels, from 0 to 1"),
        ({"focal_gamma": -1.0}, "focal_gamma is -1.0"),
    ],
)
def test_settings_that_mean_nothing(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SegNextError, match=message):
        Loss(**changes)


def test_weights_by_hand() -> None:
    assert given_weights((1, 0.5, 2), LABELS).tolist() == [1.0, 0.5, 2.0]
    assert given_weights({"car": 4.0}, LABELS).tolist() == [1.0, 4.0, 1.0]
    assert given_weights({"car": 4.0}, MULTI).tolist() == [[1.0] * 3, [1.0, 4.0, 1.0]]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1.0, 2.0), "has 2 numbers for 3 classes; give one for each"),
        ({"cart": 2.0}, "names 'cart', which is no class; did you mean car"),
        ((1.0, -1.0, 1.0), "must be numbers from 0 on"),
        ((0.0, 0.0, 0.0), "not all of them 0"),
    ],
)
def test_weights_that_do_not_fit(weights: Any, message: str) -> None:
    with pytest.raises(SegNextError, match=message):
        given_weights(weights, LABELS)


def test_weights_are_given_or_computed() -> None:
    with pytest.raises(SegNextError, match="set one of them alone"):
        TrainConfig("d", "o", loss=Loss(class_weights=(1.0, 2.0)), class_balance=0.5)


def test_from_the_command_line() -> None:
    common = ["--data", "d", "--out", "o"]
    config, _ = parse([*common, "--loss.dice", "0.5", "--loss.class_weights", "[1, 2.5, 1]"])
    assert config.loss == Loss(dice=0.5, class_weights=(1.0, 2.5, 1.0))
    config, _ = parse([*common, "--loss.class_weights", "{car: 5, sky: 0.5}", "--loss.cross_entropy", "2"])
    assert config.loss == Loss(cross_entropy=2.0, class_weights={"car": 5.0, "sky": 0.5})
    with pytest.raises(SegNextError, match=r"loss\.dice is -1\.0"):
        parse([*common, "--loss.dice", "-1"])


def test_balanced_weights_by_hand() -> None:
    frequencies = np.array([0.64, 0.36, 0.0])
    # 1 / 0.8 and 1 / 0.6 weigh 0.8 + 0.6 over all pixels
    assert balanced_weights(frequencies, 0.5).tolist() == pytest.approx([1.25 / 1.4, (1 / 0.6) / 1.4, 0.0])
    assert balanced_weights(frequencies, 1.0).tolist() == pytest.approx([1 / 1.28, 1 / 0.72, 0.0])
    assert balanced_weights(np.array([0.5, 0.5]), 0.0).tolist() == [1.0, 1.0]
    for power in (0.3, 0.5, 1.0):
        weights = balanced_weights(frequencies, power).double().numpy()
        assert (weights * frequencies).sum() == pytest.approx(1.0)


def test_balanced_weights_of_multi_label_classes() -> None:
    # Of each class, where it is not and where it is; the third is nowhere.
    weights = balanced_weights(np.array([[0.64, 0.5, 1.0], [0.36, 0.5, 0.0]]), 0.5)
    assert weights[0].tolist() == pytest.approx([1.25 / 1.4, 1.0, 1.0])
    assert weights[1].tolist() == pytest.approx([(1 / 0.6) / 1.4, 1.0, 0.0])


def test_weights_without_any_labelled_pixel_are_zero() -> None:
    assert balanced_weights(np.zeros(3), 0.5).tolist() == [0.0, 0.0, 0.0]
