"""Depthwise convolution whose weight gradient does not crawl on a CPU.

MSCA is made of depthwise convolutions. On a CPU their forward pass and input gradient are quick in
channels_last, but the library's weight gradient takes ten to fifty times as long as either
(`benchmarks/training.py`), half of a whole training step.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor, dilation: int = 1, *, training: bool = True) -> Tensor:
    """Depthwise convolution, stride 1, padded to keep the size; F.conv2d defines the result.

    Args:
        x: (B, C, H, W).
        weight: (C, 1, kh, kw), kh and kw odd.
        bias: (C,).
        dilation: spacing of the kernel's taps; above 1 the computation is torch's own.
        training: whether gradients will be asked for; without, the computation is torch's own, which can be traced,
            exported and transformed.

    Returns:
        (B, C, H, W). Gradients are exact up to the order of additions; the weight's is accumulated in float32.
    """
    kh, kw = weight.shape[2:]
    autocast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
    ours = training and torch.is_grad_enabled() and weight.requires_grad and dilation == 1
    if not (ours and _slow_in_torch(x, autocast or x.dtype)):
        padding = (dilation * (kh // 2), dilation * (kw // 2))
        return F.conv2d(x, weight, bias, padding=padding, dilation=dilation, groups=x.shape[1])
    if autocast is not None:
        x, weight, bias = x.to(autocast), weight.to(autocast), bias.to(autocast)
    return _DepthwiseConv2d.apply(x, weight, bias)  # type: ignore[no-any-return, no-untyped-call]


def _slow_in_torch(x: Tensor, computed_in: torch.dtype) -> bool:
    """Whether x is what the numba kernel is for: a channels_last CPU tensor, float32 or bfloat16, and to stay so.

    What compiles, traces or transforms the network sees torch's own convolution.
    """
    return (
        x.device.type == "cpu"
        and {x.dtype, computed_in} <= {torch.float32, torch.bfloat16}
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
        and torch._C._get_tracing_state() is None
        and torch._C._functorch.maybe_current_level() is None
    )


class _DepthwiseConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        kh, kw = weight.shape[2:]
        ctx.save_for_backward(x, weight)
        with torch.autocast("cpu", enabled=False):
            return F.conv2d(x, weight, bias, padding=(kh // 2, kw // 2), groups=x.shape[1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        from segnext.kernels.depthwise_numba import weight_gradient

        x, weight = ctx.saved_tensors
        channels, _, kh, kw = weight.shape
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_x = None
        if ctx.needs_input_grad[0]:  # a convolution with the kernel turned by 180 degrees
            turned = weight.flip(2, 3)
            grad_x = F.conv2d(grad, turned, padding=(kh // 2, kw // 2), groups=channels)
        total = torch.from_numpy(weight_gradient(_as_array(x), _as_array(grad), kh, kw))
        grad_weight = total.T.reshape(weight.shape).to(weight.dtype)
        return grad_x, grad_weight, grad.sum(dim=(0, 2, 3))


def _as_array(x: Tensor) -> Any:
    """(B, C, H, W) channels_last -> numpy (B, H, W, C) without a copy; bfloat16 as its 16-bit words."""
    x = x.detach().permute(0, 2, 3, 1)
    return x.view(torch.uint16).numpy() if x.dtype == torch.bfloat16 else x.numpy()
