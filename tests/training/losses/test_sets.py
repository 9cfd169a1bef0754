"""The loss of pixels of which it is only known that they are of one of several classes."""

import pytest
import torch

from segnext.labels import Labels
from segnext.training.losses.config import Loss
from segnext.training.losses.sets import marginal, with_sets
from segnext.training.losses.total import TrainLoss

LABELS = Labels("four", ("a", "b", "c", "d"), ((0, 0, 0),) * 4)
SETS = torch.tensor([[False, True, True, False], [True, False, True, True]])


def pixels(*columns: list[float]) -> torch.Tensor:
    """Logits (1, 4, 1, pixels)."""
    return torch.tensor(columns).T[None, :, None].clone().requires_grad_()


def test_loss_and_gradient_by_hand() -> None:
    """P = (1, 2, 3, 4) / 10: the set {b, c} has 1/2, so the loss is log 2 and the gradient p - [c in S] p / p_S."""
    logits = pixels([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0], [9.0, 9.0, 9.0, 9.0])
    with torch.no_grad():
        logits.log_()
    total, weight = marginal(logits, torch.tensor([[[4, 5, 255]]]), SETS)
    assert weight.item() == 2
    assert total.item() == pytest.approx(torch.tensor(2.0).log().item() + torch.tensor(4 / 3).log().item())
    total.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    expected = [[0.1, 0.2 - 0.4, 0.3 - 0.6, 0.4], [0.25 - 1 / 3, 0.25, 0.25 - 1 / 3, 0.25 - 1 / 3], [0.0] * 4]
    torch.testing.assert_close(logits.grad[0, :, 0].T, torch.tensor(expected))


def test_a_set_of_one_class_is_cross_entropy_and_one_of_all_teaches_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 3, 5, generator=generator, requires_grad=True)
    target = torch.full((2, 3, 5), 4)
    one = torch.tensor([[False, False, True, False]])
    total, weight = marginal(logits, target, one)
    expected = torch.nn.functional.cross_entropy(logits, torch.full((2, 3, 5), 2), reduction="sum")
    torch.testing.assert_close(total, expected)
    assert weight.item() == 30
    everything, _ = marginal(logits, target, torch.ones(1, 4, dtype=torch.bool))
    everything.backward()  # type: ignore[no-untyped-call]
    assert everything.item() == pytest.approx(0, abs=1e-5)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-6, rtol=0)


def test_pixels_of_one_class_and_of_several_weigh_alike() -> None:
    logits, target = torch.randn(1, 4, 2, 2), torch.tensor([[[0, 4], [255, 3]]])
    loss = with_sets(TrainLoss(Loss(), LABELS, None), ((1, 2),), 4, None)
    log = logits.log_softmax(1)[0]
    parts = (-log[0, 0, 0], -log[1:3, 0, 1].logsumexp(0), -log[3, 1, 1])
    assert loss(logits, target).item() == pytest.approx(sum(parts).item() / 3, rel=1e-5)  # type: ignore[union-attr]
    nothing = loss(logits.requires_grad_(), torch.full((1, 2, 2), 255))
    nothing.backward()  # type: ignore[no-untyped-call]
    assert nothing.item() == 0


def test_class_weights_of_a_set_are_the_mean_of_its_classes() -> None:
    weights = torch.tensor([1.0, 2.0, 4.0, 1.0])
    _, weight = marginal(torch.randn(1, 4, 1, 2), torch.tensor([[[4, 5]]]), SETS, weights)
    assert weight.item() == pytest.approx(3.0 + 2.0)


@pytest.mark.parametrize("name", ["ohem", "focal", "dice", "lovasz"])
def test_other_losses_leave_pixels_of_several_classes_out(name: str) -> None:
    config = Loss(**{"cross_entropy": 0.0, name: 1.0})  # type: ignore[arg-type]
    logits, target = torch.randn(1, 4, 4, 4), torch.randint(0, 4, (1, 4, 4))
    coded, ignored = target.clone(), target.clone()
    coded[0, 0], ignored[0, 0] = 4, 255
    loss = with_sets(TrainLoss(config, LABELS, None), ((1, 2),), 4, None)
    assert loss(logits, coded).item() == pytest.approx(TrainLoss(config, LABELS, None)(logits, ignored).item())
