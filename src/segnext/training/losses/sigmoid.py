"""Losses for multi-label masks, where any number of classes may be at one pixel.

All take logits (B, classes, H, W) and a target (B, classes, H, W) that is 1 where the class is, 0 where it is not, and
`ignore` where that does not count, and return the sum over the batch and what to divide it by. Class weights are
(2, classes): those of the pixels where the class is not, and of those where it is; or None for ones.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.training.losses.lovasz import lovasz_extension
from segnext.training.losses.parts import Parts, modulated, precise


def cross_entropy(
    logits: Tensor, target: Tensor, ignore: int, class_weights: Tensor | None = None, smoothing: float = 0.0
) -> Parts:
    """Mean over pixels and classes of the binary cross entropy, weighted by the class weights.

    With smoothing s, the truth is 1 - s / 2 where the class is and s / 2 elsewhere.
    """
    truth = (target == 1).to(torch.float32)
    loss = _binary(logits, truth * (1 - smoothing) + smoothing / 2)
    weight = _weights(target, ignore, class_weights)
    return (loss * weight).sum(), weight.sum()


def focal(logits: Tensor, target: Tensor, ignore: int, class_weights: Tensor | None = None, *, gamma: float) -> Parts:
    """Mean over pixels and classes of (1 - p) ** gamma * -log p, weighted by the class weights.

    Lin et al., 2017, equation 5: p is the probability given to the truth, and the class weights are the paper's alpha.
    """
    loss = modulated(_binary(logits, (target == 1).to(torch.float32)), gamma)
    weight = _weights(target, ignore, class_weights)
    return (loss * weight).sum(), weight.sum()


def dice(logits: Tensor, target: Tensor, ignore: int) -> Parts:
    """Mean over all pairs of a picture and a class in it of 1 - 2 sum(p t) / (sum(p) + sum(t)).

    As `softmax.dice`. Where a picture lacks a class nothing is learned about it, so that cross entropy or the focal
    loss should have their weight beside it.
    """
    known = target != ignore
    truth = target == 1
    probabilities = precise(logits).sigmoid() * known
    both, true = (probabilities * truth).sum((2, 3)), truth.sum((2, 3))
    losses = 1 - 2 * both / (probabilities.sum((2, 3)) + true).clamp(min=1.0)
    present = true > 0
    return (losses * present).sum(), present.sum().to(losses.dtype)


def lovasz_hinge(logits: Tensor, target: Tensor, ignore: int) -> Parts:
    """Mean over all pairs of a picture and a class of the Lovasz extension of 1 - IoU.

    Berman et al., 2018, equations 8 to 10: a pixel's error is the hinge loss of its logit, max(0, 1 - logit) where the
    class is and max(0, 1 + logit) elsewhere. Classes that a picture lacks count too: their worst pixel does.
    """
    known = (target != ignore).flatten(0, 1).flatten(1)
    truth = (target == 1).flatten(0, 1).flatten(1)
    scores = precise(logits).flatten(0, 1).flatten(1)
    errors = torch.where(truth, 1 - scores, 1 + scores).clamp(min=0) * known
    weight = known.any(1).sum().to(errors.dtype)
    return lovasz_extension(errors, truth).sum(), weight


def _binary(logits: Tensor, truth: Tensor) -> Tensor:
    logits = precise(logits)
    return F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), reduction="none")


def _weights(target: Tensor, ignore: int, class_weights: Tensor | None) -> Tensor:
    """What each pixel of each class weighs, (B, classes, H, W)."""
    known = (target != ignore).to(torch.float32)
    if class_weights is None:
        return known
    absent, present = class_weights[:, None, :, None, None]
    return known * torch.where(target == 1, present, absent)
