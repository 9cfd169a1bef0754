"""The attention's half of an MSCAN block in training, from its norm on.

Four maps are kept for the backward pass: the input, what goes into GELU, the branches' sum and the attention map; and
the 1x1 convolutions' weights as they were used, cast and scaled.
GELU, the 5x5 and the strips are computed again while they are in the cache.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segnext.kernels.branch import branch_gradient, kept, scale_gradients, scaled
from segnext.kernels.ffn import gathered
from segnext.kernels.launch import CHANNELS, channels_last, empty_map, flat, launch, over, table
from segnext.kernels.pointwise import bias_gradient, input_gradient, pointwise, weight_gradient
from segnext.kernels.threads import PARTS

Layer = tuple[Tensor, Tensor]  # weight and bias


def attention_residual(
    x: Tensor,
    normal: Tensor,
    layers: Sequence[Layer],
    strips: Sequence[tuple[Layer, Layer]],
    scale: Tensor,
    keep: Tensor | None,
) -> Tensor:
    """The sum x + keep * scale * (normal + proj_out(mix(branches(u)) * u)) with u = GELU(proj_in(normal)).

    branches(u) = local + the sum of down(across(local)) over the strips, with local = square(u).

    Args:
        x: (B, C, H, W), float32 or bfloat16.
        normal: (B, C, H, W), in the format that is computed in.
        layers: proj_in, mix and proj_out, (C, C, 1, 1), and square, (C, 1, 5, 5); with biases (C,).
        strips: pairs of 1 x k and k x 1, odd k.
        scale: (C,).
        keep: (B, 1, 1, 1), or None for ones.
    """
    across, down = zip(*strips, strict=True)
    lengths = np.array([weight.shape[3] for weight, _ in across])
    parameters = [tensor for layer in (*layers, *across, *down) for tensor in layer]
    return _Attention.apply(x, normal, lengths, scale, keep, *parameters)  # type: ignore[no-any-return, no-untyped-call]


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, normal: Tensor, lengths: Any, scale: Tensor, keep: Tensor | None, *parameters: Tensor
    ) -> Tensor:
        from segnext.kernels.msca_numba import forward

        w_in, b_in, w_mix, b_mix, w_out, b_out = parameters[:6]
        used_in, used_mix, used_out, offset = (t.to(normal.dtype) for t in (w_in, w_mix, *scaled(w_out, b_out, scale)))
        inner = pointwise(normal, used_in, b_in)
        u, branches = empty_map(inner, inner.dtype), empty_map(inner, inner.dtype)
        weights, biases = _tables(parameters)
        arguments = flat(inner), weights, biases, lengths, flat(u), flat(branches)
        launch(forward, _tasks(inner), *arguments, tuple(inner.shape[2:]), inner.shape[1])
        attention = pointwise(branches, used_mix, b_mix)
        branch = pointwise(u.mul_(attention), used_out, offset)
        ctx.lengths = lengths
        used = used_in, used_mix, used_out
        ctx.save_for_backward(normal, inner, branches, attention, scale, keep, *used, *parameters)
        y, factor = empty_map(x, torch.float32), kept(x, keep)
        x, of_normal = channels_last(x), factor * flat(scale.float())
        over(x, "residual", flat(x), flat(branch), factor, flat(normal), of_normal, True, flat(y))
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from segnext.kernels.lanes import WIDTH
        from segnext.kernels.msca_numba import backward, gate

        normal, inner, branches, attention, scale, keep, *parameters = ctx.saved_tensors
        (used_in, used_mix, used_out), parameters = parameters[:3], parameters[3:]
        w_in, b_in, w_mix, b_mix, w_out, b_out = parameters[:6]
        grad = channels_last(grad)
        slope = branch_gradient(grad, kept(grad, keep), normal.dtype)
        of_u = input_gradient(slope, used_out)
        gated, of_attention = empty_map(inner, inner.dtype), empty_map(inner, inner.dtype)
        launch(gate, inner.numel() // WIDTH, *map(flat, (inner, attention, of_u, gated, of_attention)))
        of_w_out = weight_gradient(slope, gated, w_out)
        of_mix = weight_gradient(of_attention, branches, w_mix), bias_gradient(of_attention, b_mix)
        of_branches = input_gradient(of_attention, used_mix)
        weights, biases = _tables(parameters)
        turned, _ = _tables(parameters, turned=True)
        tasks, of_inner = _tasks(inner), gated
        sums = np.zeros((tasks, (len(weights) + len(biases)) * CHANNELS), np.float32)
        arguments = flat(inner), flat(of_u), flat(of_branches), weights, turned, biases, ctx.lengths, flat(of_inner)
        launch(backward, tasks, *arguments, sums, tuple(inner.shape[2:]), inner.shape[1])
        of_in = weight_gradient(of_inner, normal, w_in), bias_gradient(of_inner, b_in)
        of_normal, of_b_out, of_scale = _shortcut(input_gradient(of_inner, used_in), slope, normal, scale)
        of_out = scale_gradients(of_w_out, of_b_out.to(b_out.dtype), w_out, b_out, scale)
        of_depthwise = _split(gathered(sums, inner), parameters[6:])
        return grad, of_normal, None, of_out[2] + of_scale, None, *of_in, *of_mix, *of_out[:2], *of_depthwise


def _tasks(x: Tensor) -> int:
    return x.shape[0] * x.shape[1] // CHANNELS


def _tables(parameters: Sequence[Tensor], turned: bool = False) -> tuple[Any, Any]:
    """The depthwise kernels' weights (taps, C), perhaps each turned by 180 degrees, and biases (kernels, C)."""
    weights = [table(weight)[:: -1 if turned else 1] for weight in parameters[6::2]]
    return np.concatenate(weights), np.stack([flat(bias.float()) for bias in parameters[7::2]])


def _shortcut(of_normal: Tensor, slope: Tensor, normal: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """From the gradient `slope` of scale * (normal + convolution), what it gives to each of the three.

    Returns:
        The gradient of normal, with `of_normal` added; that which the convolution's bias would have without the scale;
        and that of the scale, as far as it comes from normal.
    """
    tasks, none = normal.shape[0] * PARTS, np.zeros(normal.shape[:2], np.float32)
    totals, products = np.empty((2, tasks, normal.shape[1]), np.float32)
    over(normal, "sums", flat(slope), flat(normal), none, totals, products)
    factor = none + flat(scale.float())
    over(normal, "residual", *map(flat, (of_normal, slope)), factor, flat(slope), factor, False, flat(of_normal))
    return of_normal, torch.from_numpy(totals.sum(0)), torch.from_numpy(products.sum(0)).to(scale.dtype)


def _split(sums: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of depthwise weights and biases, from their sums (taps and a bias for each kernel, C)."""
    gradients = []
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        taps, sums = sums[: weight[0].numel() + 1], sums[weight[0].numel() + 1 :]
        gradients += [taps[:-1].T.reshape(weight.shape).to(weight.dtype), taps[-1].to(bias.dtype)]
    return gradients
