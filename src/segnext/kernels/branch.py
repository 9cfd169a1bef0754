"""What the two halves of an MSCAN block share in training: their 1x1 convolutions, layer scale, drop path, the sum.

A half is y = x + keep * scale * f, where f ends in a 1x1 convolution. Its weights take the scale in, so f is never
held; the scale's gradient follows from those of the weights. `keep` is what drop path draws for each sample.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from segnext.kernels.launch import empty_map, flat, over, rows
from segnext.kernels.threads import PARTS


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """1x1 convolution in the number format of x."""
    with torch.autocast("cpu", enabled=False):
        return F.conv2d(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))


def input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a 1x1 convolution's input, a map, from that of its result, in the format of `grad`."""
    batch, _, height, width = grad.shape
    with torch.autocast("cpu", enabled=False):
        product = matrix(grad) @ weight.flatten(1).to(grad.dtype)
    return product.view(batch, height, width, -1).permute(0, 3, 1, 2)


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a 1x1 convolution's weight, in its format.

    oneDNN's product for convolutions takes up to half as long again, and wide results are made quicker than tall ones.
    """
    left, right = matrix(grad), matrix(x)
    with torch.autocast("cpu", enabled=False):
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


def scaled(weight: Tensor, bias: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The weights of a 1x1 convolution whose result is `scale` times as large."""
    return weight * scale[:, None, None, None], bias * scale


def scale_gradients(
    of_weight: Tensor, of_bias: Tensor, weight: Tensor, bias: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """From the gradients that weight and bias would have without the scale: theirs, and the scale's."""
    of_scale = (of_weight * weight).sum((1, 2, 3)) + of_bias * bias
    return of_weight * scale[:, None, None, None], of_bias * scale, of_scale


def kept(x: Tensor, keep: Tensor | None) -> NDArray[np.float32]:
    """Drop path's factors (B, C) for the samples of a map x, from (B, 1, 1, 1), or ones."""
    factors = np.ones((1, 1)) if keep is None else keep.flatten(1).float().numpy()
    return rows(x, factors)[0]


def add_branch(x: Tensor, branch: Tensor, keep: NDArray[Any]) -> Tensor:
    """The sum x + keep * branch, in float32: branches are small beside what they are added to."""
    y = empty_map(x, torch.float32)
    over(x, "residual", flat(x), flat(branch), keep, flat(branch), keep, False, flat(y))
    return y


def branch_gradient(grad: Tensor, keep: NDArray[Any], dtype: torch.dtype) -> Tensor:
    """The gradient of a branch, keep * grad, in another format."""
    result = empty_map(grad, dtype)
    over(grad, "apply", flat(grad), keep, np.zeros_like(keep), flat(result))
    return result
