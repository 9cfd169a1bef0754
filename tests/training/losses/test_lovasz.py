"""The Lovasz extension of 1 - IoU."""

from itertools import permutations

import numpy as np
import pytest
import torch

from segnext.training.losses.lovasz import jaccard_steps, lovasz_extension


def jaccard_loss(truth: list[bool], wrong: list[int]) -> float:
    """1 - IoU of the set `truth` and the set that differs from it in the pixels `wrong`."""
    predicted = [inside != (pixel in wrong) for pixel, inside in enumerate(truth)]
    both = sum(a and b for a, b in zip(truth, predicted, strict=True))
    either = sum(a or b for a, b in zip(truth, predicted, strict=True))
    return 1 - both / either if either else 0.0


@pytest.mark.parametrize("truth", [[True, False, True, False], [True] * 3, [False] * 3, [False, True]])
def test_steps_are_the_differences_of_one_minus_iou(truth: list[bool]) -> None:
    for order in permutations(range(len(truth))):
        losses = [jaccard_loss(truth, list(order[:count])) for count in range(len(truth) + 1)]
        steps = jaccard_steps(torch.tensor([[truth[pixel] for pixel in order]]))
        assert steps[0].tolist() == pytest.approx(np.diff(losses).tolist())


@pytest.mark.parametrize("wrong", [[], [0], [1, 2], [0, 1, 2, 3]])
def test_on_sets_of_wrong_pixels_it_is_one_minus_iou(wrong: list[int]) -> None:
    truth = [True, False, True, False]
    errors = torch.tensor([[float(pixel in wrong) for pixel in range(4)]])
    assert lovasz_extension(errors, torch.tensor([truth])).item() == pytest.approx(jaccard_loss(truth, wrong))


def test_by_hand_between_them() -> None:
    # Sorted: 0.8 (outside: IoU 2/2 -> 2/3), 0.5 (inside: -> 1/3), 0.2 (inside: -> 0).
    errors, truth = torch.tensor([[0.5, 0.8, 0.2]]), torch.tensor([[True, False, True]])
    assert lovasz_extension(errors, truth).item() == pytest.approx((0.8 + 0.5 + 0.2) / 3)


def test_pixels_without_an_error_have_no_effect() -> None:
    errors, truth = torch.tensor([[0.5, 0.8, 0.2]]), torch.tensor([[True, False, True]])
    more = torch.cat([errors, torch.zeros(1, 5)], 1), torch.cat([truth, torch.zeros(1, 5, dtype=torch.bool)], 1)
    assert lovasz_extension(*more).item() == lovasz_extension(errors, truth).item()


def test_small_steps_keep_their_digits() -> None:
    truth = torch.ones(1, 1_000_000, dtype=torch.bool)
    assert jaccard_steps(truth)[0, [0, 500_000, -1]].tolist() == pytest.approx([1e-6] * 3, rel=1e-6)
