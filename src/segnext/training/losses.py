"""The training loss, and class weights computed from the masks."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    class_weights: Tensor | None,
    ignore: int,
    mean: Callable[[Tensor], Tensor] = lambda x: x,
) -> Tensor:
    """Weighted mean of the pixels' cross entropy; zero when every pixel is ignored.

    Args:
        logits: (B, classes, H, W); float32 is used whatever their type.
        target: (B, H, W) labels.
        class_weights: (classes,) or None for ones.
        ignore: label that does not count.
        mean: of the divisor over all processes.
    """
    total = F.cross_entropy(logits.float(), target, class_weights, ignore_index=ignore, reduction="sum")
    counted = target[target != ignore]
    weight = class_weights[counted].sum() if class_weights is not None else counted.new_tensor(counted.numel())
    return total / mean(weight.float()).clamp(min=1e-6)


def class_frequencies(masks: Iterable[NDArray[np.uint8]], num_classes: int) -> NDArray[np.float64]:
    """Share of each class among the labelled pixels; (num_classes,), the sum is 1."""
    counts = np.zeros(256, np.int64)
    for mask in masks:
        counts += np.bincount(mask.ravel(), minlength=256)
    known = counts[:num_classes].astype(np.float64)
    frequencies: NDArray[np.float64] = known / max(known.sum(), 1.0)
    return frequencies


def balanced_weights(frequencies: NDArray[np.float64], power: float) -> Tensor:
    """Weigh each class by frequency ** -power, scaled so that the mean over the pixels is 1; absent classes weigh 0."""
    present = frequencies > 0
    weights = np.zeros_like(frequencies)
    weights[present] = frequencies[present] ** -power
    weights[present] /= (weights * frequencies).sum()
    return torch.from_numpy(weights).float()
