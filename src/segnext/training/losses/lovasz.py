"""The Lovasz extension of the Jaccard loss (Berman et al., 2018)."""

import torch
from torch import Tensor


def lovasz_extension(errors: Tensor, truth: Tensor) -> Tensor:
    """The Jaccard loss 1 - IoU, extended from sets of wrong pixels to degrees of error (equation 9).

    Args:
        errors: (sets, pixels), from 0 on; 0 leaves a pixel without effect.
        truth: (sets, pixels) bool, the pixels that truly are in the set.

    Returns:
        (sets,).
    """
    errors, order = errors.sort(dim=1, descending=True)
    return (errors * jaccard_steps(truth.gather(1, order)).to(errors.dtype)).sum(1)


def jaccard_steps(truth: Tensor) -> Tensor:
    """By how much 1 - IoU grows when one pixel after the other becomes wrong; (sets, pixels) bool -> float.

    The differences of equation 9 in closed form, which lose no digits: 1 / U for a pixel of the set, which leaves the
    intersection I, and I / (U (U - 1)) for another one, which enters the union U. Of an empty set the first wrong
    pixel takes 1 - IoU from 0 to 1.
    """
    positives = truth.sum(1, keepdim=True)
    passed = truth.cumsum(1)  # of whole numbers, which add up to the same in any order
    intersection = (positives - passed).float()
    union = (positives + torch.arange(1, truth.shape[1] + 1, device=truth.device) - passed).float()
    steps = torch.where(truth, 1 / union, intersection / (union * (union - 1)).clamp(min=1))
    steps[:, :1] = torch.where(positives == 0, 1.0, steps[:, :1])
    return steps
