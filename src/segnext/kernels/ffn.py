"""The FFN's half of an MSCAN block in training, from its norm on.

The norm's result and the expanded map are kept for the backward pass; what follows them is computed again while the map
is in the cache.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from segnext.kernels.branch import add_branch, branch_gradient, kept, scale_gradients, scaled
from segnext.kernels.launch import CHANNELS, channels_last, empty_map, flat, launch, table
from segnext.kernels.pointwise import bias_gradient, input_gradient, pointwise, weight_gradient

Layer = tuple[Tensor, Tensor]  # weight and bias


def ffn_residual(
    x: Tensor, normal: Tensor, expand: Layer, depthwise: Layer, project: Layer, scale: Tensor, keep: Tensor | None
) -> Tensor:
    """The sum x + keep * scale * project(GELU(depthwise(expand(normal)))).

    Args:
        x: (B, C, H, W), float32 or bfloat16.
        normal: (B, C, H, W), in the format that is computed in.
        expand: weight (hidden, C, 1, 1) and bias.
        depthwise: weight (hidden, 1, 3, 3) and bias.
        project: weight (C, hidden, 1, 1) and bias.
        scale: (C,).
        keep: (B, 1, 1, 1), or None for ones.
    """
    return _FFN.apply(x, normal, *expand, *depthwise, *project, scale, keep)  # type: ignore[no-any-return, no-untyped-call]


class _FFN(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, normal: Tensor, w_expand: Tensor, b_expand: Tensor, taps: Tensor, offset: Tensor,
        weight: Tensor, bias: Tensor, scale: Tensor, keep: Tensor | None,
    ) -> Tensor:  # fmt: skip
        from segnext.kernels.ffn_numba import forward

        used_expand, used, shift = (t.to(normal.dtype) for t in (w_expand, *scaled(weight, bias, scale)))
        expanded = pointwise(normal, used_expand)  # its bias is added where it is read
        ctx.save_for_backward(
            normal, expanded, w_expand, b_expand, taps, offset, weight, bias, scale, keep, used_expand, used
        )
        active = empty_map(expanded, expanded.dtype)
        tables = _slices(flat(b_expand.float()), table(taps), flat(offset.float()))
        arguments = flat(expanded), *tables, flat(active)
        launch(forward, _tasks(expanded), *arguments, tuple(expanded.shape[2:]), expanded.shape[1])
        branch = pointwise(active, used, shift)
        return add_branch(channels_last(x), branch, kept(x, keep))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from segnext.kernels.ffn_numba import SUMS, TAPS, backward

        normal, expanded, w_expand, b_expand, taps, offset, weight, bias, scale, keep, used_expand, used = (
            ctx.saved_tensors
        )
        grad = channels_last(grad)
        slope = branch_gradient(grad, kept(grad, keep), expanded.dtype)
        of_expanded = input_gradient(slope, used)
        active, kernel = empty_map(expanded, expanded.dtype), table(taps)
        sums = np.zeros((expanded.shape[0] * expanded.shape[1] // CHANNELS, SUMS * CHANNELS), np.float32)
        tables = _slices(flat(b_expand.float()), kernel, kernel[::-1], flat(offset.float()))
        maps = flat(active), flat(of_expanded), sums
        size = tuple(expanded.shape[2:])
        launch(backward, _tasks(expanded), flat(expanded), flat(of_expanded), *tables, *maps, size, expanded.shape[1])
        total = gathered(sums, expanded)
        of_taps, of_offset = total[:TAPS].T.reshape(taps.shape).to(taps.dtype), total[TAPS].to(offset.dtype)
        of_weight, of_bias = weight_gradient(slope, active, weight), bias_gradient(slope, bias)
        of_branch = scale_gradients(of_weight, of_bias, weight, bias, scale)
        of_expand = weight_gradient(of_expanded, normal, w_expand), total[TAPS + 1].to(b_expand.dtype)
        return grad, input_gradient(of_expanded, used_expand), *of_expand, of_taps, of_offset, *of_branch, None


def _tasks(x: Tensor) -> int:
    from segnext.kernels.ffn_numba import GROUP

    return x.shape[0] * -(-x.shape[1] // (CHANNELS * GROUP))


def _slices(*tables: Any) -> list[Any]:
    """Tables (rows, C), or of one row (C,), slice after slice of the channels: (C / CHANNELS, rows * CHANNELS)."""
    cut = [t.reshape(-1, t.shape[-1] // CHANNELS, CHANNELS).swapaxes(0, 1) for t in tables]
    return [np.ascontiguousarray(t).reshape(len(t), -1) for t in cut]


def gathered(sums: Any, x: Tensor) -> Tensor:
    """Sums (tasks, rows * CHANNELS) over the samples of x, slices side by side: (rows, C)."""
    parts = sums.reshape(x.shape[0], x.shape[1] // CHANNELS, -1, CHANNELS).sum(0)
    return torch.from_numpy(np.ascontiguousarray(parts.transpose(1, 0, 2).reshape(-1, x.shape[1])))
