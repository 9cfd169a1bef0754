"""Cross entropy from low-resolution logits against resize and cross entropy in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.kernels.launch import definitions
from segnext.kernels.loss import pixel_cross_entropy

SHAPES = [(2, 11, 4, 6, 33, 41), (1, 150, 3, 5, 24, 40), (2, 2, 1, 1, 7, 8), (1, 19, 5, 4, 6, 5)]


def sample(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, labels with two rows that are ignored, and the gradient of the losses."""
    batch, classes, h, w, height, width = shape
    torch.manual_seed(0)
    logits = (torch.randn(batch, classes, h, w) * 5).to(dtype).requires_grad_()
    target = torch.randint(0, classes, (batch, height, width))
    target[:, :2] = 255
    return logits, target, torch.randn(batch, height, width)


def plain(logits: Tensor, target: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    logits = F.interpolate(logits.double(), size=target.shape[1:], mode="bilinear", align_corners=False)
    weights = None if weights is None else weights.double()
    return F.cross_entropy(logits, target, weights, ignore_index=255, reduction="none", label_smoothing=smoothing)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", SHAPES)
def test_losses_and_gradient(shape: tuple[int, ...], smoothing: float, weighted: bool) -> None:
    logits, target, grad = sample(shape)
    weights = torch.rand(shape[1]) if weighted else None
    found = pixel_cross_entropy(logits, target, weights, 255, smoothing)
    exact = plain(logits, target, weights, smoothing)
    assert found.grad_fn is not None
    assert "CrossEntropy" in found.grad_fn.name()
    assert (found - exact).norm() < 1e-5 * exact.norm()
    (of_found,), (of_exact,) = (
        torch.autograd.grad(found, logits, grad),
        torch.autograd.grad(exact, logits, grad.double()),
    )
    assert (of_found - of_exact).norm() < 1e-5 * of_exact.norm()


def test_bfloat16_logits_are_computed_with_in_float32() -> None:
    logits, target, grad = sample(SHAPES[0], torch.bfloat16)
    found, exact = pixel_cross_entropy(logits, target, None, 255), plain(logits, target, None, 0.0)
    assert found.dtype == torch.float32
    assert (found - exact).norm() < 1e-5 * exact.norm()
    (of_found,) = torch.autograd.grad(found, logits, grad)
    assert of_found.dtype == torch.bfloat16


def test_nothing_labelled_is_nothing_lost() -> None:
    logits, target, grad = sample(SHAPES[0])
    found = pixel_cross_entropy(logits, torch.full_like(target, 255), None, 255)
    assert not found.any()
    assert not torch.autograd.grad(found, logits, grad)[0].any()


def test_a_label_that_is_no_class_is_refused() -> None:
    logits, target, _ = sample(SHAPES[0])
    target[0, 5, 5] = 11
    with pytest.raises(IndexError, match="outside"):
        pixel_cross_entropy(logits, target, None, 255)


def test_elsewhere_it_is_torchs() -> None:
    logits, target, _ = sample(SHAPES[0])
    with definitions():
        found = pixel_cross_entropy(logits, target, None, 255)
    assert (found - plain(logits, target, None, 0.0)).norm() < 1e-4
