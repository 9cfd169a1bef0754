"""What the two halves of an MSCAN block share in training: layer scale, drop path, the sum.

A half is y = x + keep * scale * f, where f ends in a 1x1 convolution. Its weights take the scale in, so f is never
held; the scale's gradient follows from those of the weights. `keep` is what drop path draws for each sample.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segnext.kernels.launch import empty_map, flat, over, rows


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
