"""BatchNorm and GroupNorm in training: two passes over memory forward and two backward.

Both are x * factor + shift with a factor and a shift for each sample and channel; what sets them apart is over which
sums these are taken. Statistics are those of a part of a sample, put together in float64 (Chan et al., 1979).
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segnext.kernels.launch import channels_last, empty_map, flat, over, rows, working_type
from segnext.kernels.threads import PARTS

Table = NDArray[Any]


def batch_norm(x: Tensor, norm: torch.nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """`norm` of x (B, C, H, W) in training, in autocast's number format, its running statistics taken along; and x.

    What takes this x gives its gradient to the norm, which adds its own to it in the pass that makes it.

    Raises:
        ValueError: as torch does, when a channel has a single value, and so no variance.
    """
    count = x.numel() // x.shape[1]
    if count == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.size()}")
    y, x, mean, variance = _Norm.apply(x, norm.weight, norm.bias, norm.eps, None, working_type(x))  # type: ignore[no-untyped-call]
    with torch.no_grad():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked += 1
        momentum = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
        norm.running_mean.lerp_(mean[0], momentum)
        norm.running_var.lerp_(variance[0] * (count / max(count - 1, 1)), momentum)
    return y, x


def group_norm(x: Tensor, norm: torch.nn.GroupNorm) -> Tensor:
    """`norm` of x (B, C, H, W), in the number format of x."""
    y, *_ = _Norm.apply(x, norm.weight, norm.bias, norm.eps, norm.num_groups, x.dtype)  # type: ignore[no-untyped-call]
    return y  # type: ignore[no-any-return]


class _Norm(torch.autograd.Function):
    """Result, x, and mean and variance (rows, C): one row for all samples, or one for each with `groups`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, groups: int | None, dtype: torch.dtype
    ) -> tuple[Tensor, ...]:
        mean, variance = _statistics(x, groups)
        inverse = 1 / np.sqrt(variance + eps)
        factor = inverse * weight.detach().float().numpy()
        shift = bias.detach().float().numpy() - mean * factor
        y = empty_map(x, dtype)
        over(x, "apply", flat(x), *rows(x, factor, shift), flat(y))
        ctx.save_for_backward(x, weight)
        ctx.tables, ctx.groups = (mean, inverse, factor), groups
        statistics = torch.from_numpy(mean).float(), torch.from_numpy(variance).float()
        ctx.mark_non_differentiable(*statistics)
        ctx.set_materialize_grads(False)
        return y, x, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor | None, of_x: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
        if grad is None:  # nothing took the norm's result
            return of_x, *[None] * 5
        x, weight = ctx.saved_tensors
        mean, inverse, factor = ctx.tables
        grad = channels_last(grad)
        tasks = x.shape[0] * PARTS
        totals, products = np.zeros((2, tasks, x.shape[1]), np.float32)
        over(x, "sums", flat(grad), flat(x), *rows(x, mean), totals, products)
        total, product = (t.reshape(x.shape[0], -1, x.shape[1]).sum(1, dtype=np.float64) for t in (totals, products))
        grad_bias, grad_weight = total.sum(0), (product * inverse).sum(0)
        grad_x = None
        if ctx.needs_input_grad[0]:
            scale = weight.detach().float().numpy()
            level, slope = _means(total * scale, x, ctx.groups), _means(product * scale * inverse, x, ctx.groups)
            share = -(inverse**2) * slope
            tables = rows(x, factor, share, -inverse * level - share * mean)
            other = x if of_x is None else channels_last(of_x)
            grad_x = empty_map(x, x.dtype)
            over(x, "combine", flat(grad), flat(x), *tables, flat(other), of_x is not None, flat(grad_x))
        of_weight, of_bias = (torch.from_numpy(g).to(weight.dtype) for g in (grad_weight, grad_bias))
        return grad_x, of_weight, of_bias, None, None, None


def _statistics(x: Tensor, groups: int | None) -> tuple[Table, Table]:
    """Mean and variance of every channel over all samples, (1, C), or of its group in every sample, (B, C)."""
    batch, channels, height, width = x.shape
    means, squares = np.zeros((2, batch * PARTS, channels), np.float32)
    over(x, "moments", flat(x), means, squares)
    ends = np.arange(PARTS + 1) * (height * width) // PARTS
    counts = np.diff(ends)[:, None].astype(np.float64)  # of the positions of a sample's parts
    of_part, around = (t.reshape(batch, PARTS, channels).astype(np.float64) for t in (means, squares))
    mean = _means((of_part * counts).sum(1), x, groups)
    distance = counts * (of_part - mean[:, None]) ** 2
    return mean, _means((around + distance).sum(1), x, groups)


def _means(totals: Table, x: Tensor, groups: int | None) -> Table:
    """From sums (B, C) over the positions of a sample, the means that a norm takes: (1, C), or by group (B, C)."""
    batch, channels, height, width = x.shape
    if groups is None:
        return totals.sum(0, keepdims=True) / (batch * height * width)  # type: ignore[no-any-return]
    grouped = totals.reshape(batch, groups, -1)
    mean = grouped.sum(2, keepdims=True) / (grouped.shape[2] * height * width)
    return mean.repeat(grouped.shape[2], axis=2).reshape(batch, channels)  # type: ignore[no-any-return]
