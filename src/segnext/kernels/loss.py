"""Cross entropy of pixels from logits of lower resolution, without logits of full resolution in memory."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.kernels.enlarge import places
from segnext.kernels.launch import launch, usable

IGNORED = -1  # label of ignored pixels, for the kernels


def pixel_cross_entropy(
    logits: Tensor, target: Tensor, class_weights: Tensor | None, ignore: int, smoothing: float = 0.0
) -> Tensor:
    """Cross entropy of every pixel, 0 where it is ignored: F.cross_entropy of F.interpolate's result.

    Args:
        logits: (B, classes, h, w); enlarged bilinearly to the target, align_corners False, in float32.
        target: (B, H, W) int64.
        class_weights: (classes,), or None for ones.
        ignore: label of pixels that do not count.
        smoothing: label smoothing as F.cross_entropy has it.

    Returns:
        (B, H, W) float32.
    """
    fits = logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.bfloat16) and usable()
    if fits and logits.requires_grad and logits.numel() and logits.shape[2] < target.shape[1]:
        return _CrossEntropy.apply(logits, target, class_weights, ignore, smoothing)  # type: ignore[no-any-return, no-untyped-call]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if logits.shape[2:] != target.shape[1:]:
        logits = F.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(
        logits, target, class_weights, ignore_index=ignore, reduction="none", label_smoothing=smoothing
    )


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, class_weights: Tensor | None, ignore: int, smoothing: float
    ) -> Tensor:
        from segnext.kernels.loss_numba import forward

        batch, classes = logits.shape[:2]
        labels = target.masked_fill(target == ignore, IGNORED).numpy()
        if labels.min() < IGNORED or labels.max() >= classes:
            raise IndexError(f"a target is outside of 0..{classes - 1}")
        weights = np.ones(classes, np.float32) if class_weights is None else class_weights.float().numpy()
        low = _padded(logits)
        of_all = np.zeros(low.shape[3], np.float32)
        of_all[:classes] = smoothing / classes * weights
        ctx.arguments = low, labels, *_grid(logits, target), (1 - smoothing) * weights, of_all
        losses, norms = np.empty((2, *labels.shape), np.float32)
        launch(forward, batch, *ctx.arguments, losses, norms)
        ctx.norms, ctx.logits = norms, (classes, logits.dtype)
        return torch.from_numpy(losses)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from segnext.kernels.loss_numba import backward

        low = ctx.arguments[0]
        grad_low = np.zeros_like(low)
        launch(backward, low.shape[0], *ctx.arguments, grad.contiguous().numpy(), ctx.norms, grad_low)
        classes, dtype = ctx.logits
        return torch.from_numpy(grad_low[..., :classes]).permute(0, 3, 1, 2).to(dtype), None, None, None, None


def _padded(logits: Tensor) -> Any:
    """Logits as the kernels take them."""
    from segnext.kernels.lanes import WIDTH
    from segnext.kernels.loss_numba import LOWEST

    batch, classes, h, w = logits.shape
    low = np.full((batch, h, w, -(-classes // WIDTH) * WIDTH), LOWEST, np.float32)
    low[..., :classes] = logits.detach().permute(0, 2, 3, 1).float().numpy()
    return low


def _grid(logits: Tensor, target: Tensor) -> tuple[Any, ...]:
    """For each row and each column of the target: the low position before it, and how far it is to the next."""
    (h, w), (height, width) = logits.shape[2:], target.shape[1:]
    return *places(h, height, range(height)), *places(w, width, range(width))
