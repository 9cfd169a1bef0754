"""Losses for masks with one label per pixel.

All take logits (B, classes, H, W) and a target (B, H, W) of labels, where pixels labelled `ignore` do not count, and
return the sum over the batch and what to divide it by. Class weights are (classes,) or None for ones. What is made of
the cross entropy of each pixel also takes logits of lower resolution, which are then enlarged bilinearly.
"""

import math

import torch
from torch import Tensor

from segnext.kernels.loss import pixel_cross_entropy
from segnext.training.losses.lovasz import lovasz_extension
from segnext.training.losses.parts import Parts, modulated, precise

OF_CROSS_ENTROPY = {"cross_entropy", "ohem", "focal"}  # the losses that are made of it


def cross_entropy(
    logits: Tensor, target: Tensor, ignore: int, class_weights: Tensor | None = None, smoothing: float = 0.0
) -> Parts:
    """Mean of the pixels' -log p of their true class, weighted by its class weight.

    With smoothing s (Szegedy et al., 2016, section 7) the truth is 1 - s + s / classes for the true class and
    s / classes for every other.
    """
    # Torch's own sum over pixels is not the same at every run on graphics processors.
    loss = pixel_cross_entropy(logits, target, class_weights, ignore, smoothing)
    return loss.sum(), _weight(target, ignore, class_weights)


def hard_pixels(logits: Tensor, target: Tensor, ignore: int, *, threshold: float, min_kept: float) -> Tensor:
    """The target with all but its hard pixels ignored (online hard example mining: Shrivastava et al., 2016).

    As usual for segmentation (Wu et al., arXiv 1605.06885, section 3.3), hard are the pixels whose true class gets a
    probability below `threshold`; where these are fewer than `min_kept` (0..1) of a picture's labelled pixels, its
    hardest ones are that many. OHEM is the cross entropy over them.
    """
    with torch.no_grad():
        loss = pixel_cross_entropy(logits, target, None, ignore)
        loss[target == ignore] = -1.0  # easier than any other
        hard = loss > -math.log(threshold)
        for pixels, kept in zip(loss, hard, strict=True):
            wanted = math.ceil(min_kept * int((pixels >= 0).sum()))
            if int(kept.sum()) < wanted:
                kept.copy_(pixels >= pixels.flatten().topk(wanted).values[-1])
        return target.masked_fill(~hard, ignore)


def focal(logits: Tensor, target: Tensor, ignore: int, class_weights: Tensor | None = None, *, gamma: float) -> Parts:
    """Mean of (1 - p) ** gamma * -log p of the true class, weighted by its class weight (Lin et al., 2017, equation 5).

    The class weights are the paper's alpha; p is a softmax's probability.
    """
    loss = pixel_cross_entropy(logits, target, None, ignore)
    loss = modulated(loss, gamma)
    known = target != ignore
    weight = known if class_weights is None else known * class_weights[target.masked_fill(~known, 0)]
    return (loss * weight).sum(), weight.sum().to(loss.dtype)


def dice(logits: Tensor, target: Tensor, ignore: int) -> Parts:
    """Mean over all pairs of a picture and a class in it of 1 - 2 sum(p t) / (sum(p) + sum(t)).

    The sums go over the picture's labelled pixels, with p the probability of the class and t 1 where it is the truth.
    Soft Dice (Milletari et al., 2016, equation 1, with sums of p and t for those of their squares, as in Sudre et al.,
    2017). Classes that a picture lacks are left out, where the ratio would not tell good from bad.
    """
    probabilities = precise(logits).softmax(1)
    pictures, classes = probabilities.shape[:2]
    known = target != ignore
    labels = target.masked_fill(~known, 0)
    of_truth = probabilities.gather(1, labels[:, None])[:, 0] * known
    slots = labels + classes * torch.arange(pictures, device=labels.device)[:, None, None]
    # One-dimensional sums by index are the same at every run, on graphics processors too.
    empty = of_truth.new_zeros(pictures * classes)
    both = empty.scatter_add(0, slots.flatten(), of_truth.flatten()).view(pictures, classes)
    true = empty.scatter_add(0, slots.flatten(), known.flatten().to(empty.dtype)).view(pictures, classes)
    predicted = (probabilities * known[:, None]).sum((2, 3))
    present = true > 0
    losses = 1 - 2 * both / (predicted + true).clamp(min=1.0)
    return (losses * present).sum(), present.sum().to(losses.dtype)


def lovasz_softmax(logits: Tensor, target: Tensor, ignore: int) -> Parts:
    """Mean over all pairs of a picture and a class in it of the Lovasz extension of 1 - IoU.

    Berman et al., 2018, equations 8, 9 and 11: a pixel's error is 1 - p where the class is the truth and p elsewhere.
    Classes that a picture lacks are left out, as the paper does for batches.
    """
    probabilities = precise(logits).softmax(1)
    total, weight = probabilities.new_zeros(()), probabilities.new_zeros(())
    for chances, labels in zip(probabilities, target, strict=True):
        known = labels != ignore
        present = labels[known].unique()
        truth = labels.flatten() == present[:, None]
        errors = (truth.to(chances.dtype) - chances[present].flatten(1)).abs() * known.flatten()
        total = total + lovasz_extension(errors, truth).sum()
        weight = weight + len(present)
    return total, weight


def _weight(target: Tensor, ignore: int, class_weights: Tensor | None) -> Tensor:
    known = target != ignore
    if class_weights is None:
        return known.sum().float()
    return class_weights[target[known]].sum()
