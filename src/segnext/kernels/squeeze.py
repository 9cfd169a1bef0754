"""Maps of several sizes through one 1x1 convolution in training: each at its own size, and enlarged afterwards.

Both are linear, so this is the convolution of the enlarged maps side by side, with a quarter of its products for
SegNeXt's head, and without the enlarged maps in memory.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from segnext.kernels.enlarge import places
from segnext.kernels.launch import CHANNELS, channels_last, empty_map, flat, launch, working_type
from segnext.kernels.pointwise import input_gradient, pointwise, weight_gradient


def squeezed(maps: Sequence[Tensor], weight: Tensor) -> Tensor:
    """The 1x1 convolution of all maps, resized bilinearly to the first one's size (align_corners False).

    Args:
        maps: (B, C_i, H_i, W_i), none larger than the first.
        weight: (C, sum of the C_i, 1, 1).

    Returns:
        (B, C, H_1, W_1), in autocast's number format.
    """
    return _Squeeze.apply(weight, working_type(maps[0]), *maps)  # type: ignore[no-any-return, no-untyped-call]


class _Squeeze(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, dtype: torch.dtype, *maps: Tensor) -> Tensor:
        from segnext.kernels.squeeze_numba import enlarge

        ctx.dtypes = [x.dtype for x in maps]
        maps = tuple(x.to(dtype) for x in maps)
        ctx.save_for_backward(weight, *maps)
        first, *others = (pointwise(x, part) for x, part in zip(maps, _parts(weight, maps), strict=True))
        total = channels_last(first)
        for low in others:
            _over(enlarge, channels_last(low), total, low, total)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from segnext.kernels.squeeze_numba import gather

        weight, *maps = ctx.saved_tensors
        grad = channels_last(grad)
        of_maps: list[Tensor | None] = []
        of_weight = []
        for x, part, dtype in zip(maps, _parts(weight, maps), ctx.dtypes, strict=True):
            slope = grad
            if x.shape[2:] != grad.shape[2:]:
                slope = empty_map(grad[..., : x.shape[2], : x.shape[3]], grad.dtype)
                _over(gather, grad, slope, slope, grad)
            of_maps.append(input_gradient(slope, part).to(dtype))
            of_weight.append(weight_gradient(slope, x, part))
        return torch.cat(of_weight, 1), None, *of_maps


def _parts(weight: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Each map's columns of the weights."""
    return torch.split(weight, [x.shape[1] for x in maps], 1)


def _over(kernel: Any, source: Tensor, target: Tensor, small: Tensor, large: Tensor) -> None:
    """Run a kernel of `squeeze_numba` between maps of two sizes."""
    (h, w), (height, width) = small.shape[2:], large.shape[2:]
    grid = *places(h, height, range(height)), *places(w, width, range(width))
    channels = large.shape[1]
    tasks = large.shape[0] * channels // CHANNELS
    launch(kernel, tasks, flat(source), (h, w), *grid, flat(target), channels)
