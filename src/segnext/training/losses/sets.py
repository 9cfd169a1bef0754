"""The loss of pixels of which it is only known that they are of one of several classes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from segnext.training.losses.parts import Parts, enlarged, precise
from segnext.training.losses.total import Term, TrainLoss


def marginal(logits: Tensor, target: Tensor, sets: Tensor, class_weights: Tensor | None = None) -> Parts:
    """Sum of -log sum_{c in S} p_c over the pixels whose label stands for a set S of classes, and of their weights.

    Args:
        logits: (B, classes, H, W).
        target: (B, H, W) codes; those from `classes` to `classes` + sets - 1 stand for sets, others are left out.
        sets: (sets, classes), whether a class is in a set.
        class_weights: (classes,); a set has the mean of its classes'. None for ones.
    """
    several = (target >= sets.shape[1]) & (target < sets.shape[1] + len(sets))
    which = target[several] - sets.shape[1]
    scores = precise(logits).movedim(1, -1)[several]  # (pixels, classes)
    loss = scores.logsumexp(1) - scores.masked_fill(~sets[which], -torch.inf).logsumexp(1)
    if class_weights is None:
        return loss.sum(), loss.new_tensor(len(loss))
    weight = ((sets * class_weights).sum(1) / sets.sum(1))[which]
    return (loss * weight).sum(), weight.sum()


def with_sets(loss: TrainLoss, sets: Sequence[Sequence[int]], classes: int, class_weights: Tensor | None) -> TrainLoss:
    """`loss`, for masks whose codes from `classes` on stand for `sets` of labels.

    Cross entropy is marginal over a set's classes; the other losses leave such pixels out.
    """
    table = torch.zeros(len(sets), classes, dtype=torch.bool)
    for row, labels in zip(table, sets, strict=True):
        row[list(labels)] = True

    def wrapped(name: str, term: Term) -> Term:
        def parts(logits: Tensor, target: Tensor, ignore: int) -> Parts:
            total, divisor = term(logits, target.masked_fill(target >= classes, ignore), ignore)
            if name != "cross_entropy":
                return total, divisor
            more, weights = marginal(enlarged(logits, target), target, table.to(target.device), class_weights)
            return total + more, divisor + weights

        return parts

    loss.terms = [(name, weight, wrapped(name, term)) for name, weight, term in loss.terms]
    return loss
