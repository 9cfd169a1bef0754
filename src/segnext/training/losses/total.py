"""The training loss: a weighted sum of losses."""

from collections.abc import Callable
from functools import partial

import numpy as np
from torch import Tensor

from segnext.data.counts import ClassCounts
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.training.config import TrainConfig
from segnext.training.losses import sigmoid, softmax
from segnext.training.losses.class_weights import balanced_weights, given_weights
from segnext.training.losses.config import TERMS, Loss
from segnext.training.losses.parts import Parts, enlarged, precise

Term = Callable[[Tensor, Tensor, int], Parts]
SMALLEST = 1e-6  # divisor, where nothing counts


class TrainLoss:
    """What a run minimises.

    Args:
        config: the losses and their weights.
        labels: the ignore label, and whether masks are multi-label.
        class_weights: (classes,), for multi-label masks (2, classes), on the logits' device; None for ones.

    Attributes:
        class_weights: as given.
        terms: for each loss, its name, weight and function.
        coarse: whether all of them take logits of lower resolution as they are.

    Raises:
        SegNextError: for a loss that there is not for such masks.
    """

    def __init__(self, config: Loss, labels: Labels, class_weights: Tensor | None) -> None:
        self.ignore, self.class_weights = labels.ignore, class_weights
        functions = (_sigmoid if labels.multi_label else _softmax)(config, class_weights)
        wanted = [(name, getattr(config, name)) for name in TERMS if getattr(config, name)]
        missing = [name for name, _ in wanted if name not in functions]
        if missing:
            raise SegNextError(
                f"loss.{missing[0]} is for masks of one label per pixel, and these are multi-label; "
                f"set it to 0 and use {', '.join(functions)}"
            )
        self.coarse = not labels.multi_label and {name for name, _ in wanted} <= softmax.OF_CROSS_ENTROPY
        self.terms = [(name, weight, functions[name]) for name, weight in wanted]

    def __call__(self, logits: Tensor, target: Tensor, mean: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
        """The loss of a batch, a float32 scalar; zero, with zero gradients, where every pixel is ignored.

        Args:
            logits: (B, classes, H, W), or of lower resolution, then enlarged bilinearly; float32 is used whatever their
                type.
            target: (B, H, W) int64 labels; of multi-label masks (B, classes, H, W) of 0 and 1. Both hold `ignore`.
            mean: of a scalar over all processes. With it, the processes' mean loss and mean gradients are those
                that one process would have for all their pictures.
        """
        total = logits.new_zeros((), dtype=precise(logits[:0]).dtype)
        if not self.coarse:
            logits = enlarged(logits, target)
        for _, weight, term in self.terms:
            loss, divisor = term(logits, target, self.ignore)
            total = total + weight * (loss / mean(divisor).clamp(min=SMALLEST))
        return total


def training_loss(config: TrainConfig, labels: Labels, counts: ClassCounts | None) -> TrainLoss:
    """The loss of a run, on its device.

    Args:
        config: losses, and class weights by hand or from the masks with `class_balance`.
        labels: the classes.
        counts: of the training masks, for `class_balance`.

    Raises:
        SegNextError: when losses or weights do not fit the classes.
    """
    weights = None
    if config.loss.class_weights is not None:
        weights = given_weights(config.loss.class_weights, labels)
    elif config.class_balance and counts is not None:
        shares = counts.frequencies
        weights = balanced_weights(
            np.stack([1 - shares, shares]) if labels.multi_label else shares, config.class_balance
        )
    return TrainLoss(config.loss, labels, weights if weights is None else weights.to(config.device))


def _softmax(config: Loss, class_weights: Tensor | None) -> dict[str, Term]:
    plain = partial(softmax.cross_entropy, class_weights=class_weights, smoothing=config.label_smoothing)
    hard = partial(softmax.hard_pixels, threshold=config.ohem_threshold, min_kept=config.ohem_min_kept)
    return {
        "cross_entropy": plain,
        "ohem": lambda logits, target, ignore: plain(logits, hard(logits, target, ignore), ignore),
        "focal": partial(softmax.focal, class_weights=class_weights, gamma=config.focal_gamma),
        "dice": softmax.dice,
        "lovasz": softmax.lovasz_softmax,
    }


def _sigmoid(config: Loss, class_weights: Tensor | None) -> dict[str, Term]:
    return {
        "cross_entropy": partial(sigmoid.cross_entropy, class_weights=class_weights, smoothing=config.label_smoothing),
        "focal": partial(sigmoid.focal, class_weights=class_weights, gamma=config.focal_gamma),
        "dice": sigmoid.dice,
        "lovasz": sigmoid.lovasz_hinge,
    }
