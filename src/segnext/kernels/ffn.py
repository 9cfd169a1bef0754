"""The FFN's half of an MSCAN block in training, from the expanded map on.

Only the expanded map is kept for the backward pass; what follows it is computed again while the map is in the cache.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from segnext.kernels.branch import (
    add_branch,
    branch_gradient,
    input_gradient,
    kept,
    pointwise,
    scale_gradients,
    scaled,
    weight_gradients,
)
from segnext.kernels.launch import CHANNELS, channels_last, empty_map, flat, launch, table


def ffn_residual(
    x: Tensor, expanded: Tensor, depthwise: tuple[Tensor, Tensor], project: tuple[Tensor, Tensor], scale: Tensor,
    keep: Tensor | None,
) -> Tensor:  # fmt: skip
    """The sum x + keep * scale * project(GELU(depthwise(expanded))).

    Args:
        x: (B, C, H, W), float32 or bfloat16.
        expanded: (B, hidden, H, W), in the format that is computed in.
        depthwise: weight (hidden, 1, 3, 3) and bias.
        project: weight (C, hidden, 1, 1) and bias.
        scale: (C,).
        keep: (B, 1, 1, 1), or None for ones.
    """
    return _FFN.apply(x, expanded, *depthwise, *project, scale, keep)  # type: ignore[no-any-return, no-untyped-call]


class _FFN(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, expanded: Tensor, taps: Tensor, offset: Tensor, weight: Tensor, bias: Tensor,
        scale: Tensor, keep: Tensor | None,
    ) -> Tensor:  # fmt: skip
        from segnext.kernels.ffn_numba import forward

        ctx.save_for_backward(expanded, taps, offset, weight, bias, scale, keep)
        active = empty_map(expanded, expanded.dtype)
        arguments = flat(expanded), table(taps), flat(offset.float()), flat(active)
        launch(forward, _tasks(expanded), *arguments, tuple(expanded.shape[2:]), expanded.shape[1])
        branch = pointwise(active, *scaled(weight, bias, scale))
        return add_branch(channels_last(x), branch, kept(x, keep))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from segnext.kernels.ffn_numba import TAPS, backward

        expanded, taps, offset, weight, bias, scale, keep = ctx.saved_tensors
        grad = channels_last(grad)
        slope = branch_gradient(grad, kept(grad, keep), expanded.dtype)
        of_expanded = input_gradient(slope, expanded, scaled(weight, bias, scale)[0])
        active, kernel = empty_map(expanded, expanded.dtype), table(taps)
        tasks, width = _tasks(expanded), (TAPS + 1) * CHANNELS
        sums = np.zeros((tasks, width), np.float32)
        arguments = kernel, np.ascontiguousarray(kernel[::-1]), flat(offset.float()), flat(active), flat(of_expanded)
        size = tuple(expanded.shape[2:])
        launch(backward, tasks, flat(expanded), flat(of_expanded), *arguments, sums, size, expanded.shape[1])
        total = gathered(sums, expanded)
        of_taps, of_offset = total[:TAPS].T.reshape(taps.shape).to(taps.dtype), total[TAPS].to(offset.dtype)
        of_branch = scale_gradients(*weight_gradients(slope, active, weight), weight, bias, scale)
        return grad, of_expanded, of_taps, of_offset, *of_branch, None


def _tasks(x: Tensor) -> int:
    return x.shape[0] * x.shape[1] // CHANNELS


def gathered(sums: Any, x: Tensor) -> Tensor:
    """Sums (tasks, rows * CHANNELS) over the samples of x, slices side by side: (rows, C)."""
    parts = sums.reshape(x.shape[0], x.shape[1] // CHANNELS, -1, CHANNELS).sum(0)
    return torch.from_numpy(np.ascontiguousarray(parts.transpose(1, 0, 2).reshape(-1, x.shape[1])))
