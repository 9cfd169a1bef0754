"""1x1 convolutions in training, whose gradients are products of matrices.

oneDNN's gradients for convolutions take up to half as long again, in bfloat16 and in float32.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.kernels.launch import channels_last, flat, over, working_type
from segnext.kernels.threads import PARTS


def pointwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The 1x1 convolution of x (B, C, H, W), `fused`, in autocast's number format; F.conv2d defines the result.

    Args:
        x: the map.
        weight: (channels, C, 1, 1), channels in multiples of 32.
        bias: (channels,), or None.
    """
    return _Pointwise.apply(x, weight, bias, working_type(x))  # type: ignore[no-any-return, no-untyped-call]


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
        ctx.dtype, x = x.dtype, x.to(dtype)
        ctx.save_for_backward(x, weight, bias)
        return pointwise(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        grad = channels_last(grad)
        of_x = input_gradient(grad, weight).to(ctx.dtype) if ctx.needs_input_grad[0] else None
        return of_x, weight_gradient(grad, x, weight), None if bias is None else bias_gradient(grad, bias), None


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """1x1 convolution in the number format of x."""
    with torch._C._DisableAutocast():
        return F.conv2d(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))


def input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a 1x1 convolution's input, a map, from that of its result, in the format of `grad`."""
    batch, _, height, width = grad.shape
    with torch._C._DisableAutocast():
        product = matrix(grad) @ weight.flatten(1).to(grad.dtype)
    return product.view(batch, height, width, -1).permute(0, 3, 1, 2)


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a 1x1 convolution's weight, in its format.

    Wide results are made quicker than tall ones.
    """
    left, right = matrix(grad), matrix(x)
    with torch._C._DisableAutocast():
        tall = left.shape[1] > right.shape[1]
        product = (right.t() @ left).t() if tall else left.t() @ right
    return product.to(weight.dtype).view(weight.shape)


def matrix(x: Tensor) -> Tensor:
    """A map (B, C, H, W), channels side by side, as it lies in memory: (B * H * W, C)."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def bias_gradient(grad: Tensor, bias: Tensor) -> Tensor:
    """The gradient of a convolution's bias, in its format: the sum over all positions."""
    totals = np.empty((grad.shape[0] * PARTS, grad.shape[1]), np.float32)
    over(grad, "total", flat(grad), totals)
    return torch.from_numpy(totals.sum(0)).to(bias.dtype)
