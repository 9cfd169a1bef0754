"""Class weights, by hand or from how frequent the classes are."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segnext.choices import meant
from segnext.errors import SegNextError
from segnext.labels import Labels


def given_weights(weights: Sequence[float] | Mapping[str, float], labels: Labels) -> Tensor:
    """Class weights by hand, as `TrainLoss` takes them: a number per class, or names with numbers and 1 for the others.

    Raises:
        SegNextError: when they are not one for each class, name no class, or are not numbers from 0 on.
    """
    if isinstance(weights, Mapping):
        unknown = [name for name in weights if name not in labels.classes]
        if unknown:
            raise SegNextError(
                f"loss.class_weights names '{unknown[0]}', which is no class; {meant(unknown[0], labels.classes)}"
            )
        weights = [weights.get(name, 1.0) for name in labels.classes]
    if len(weights) != len(labels):
        raise SegNextError(
            f"loss.class_weights has {len(weights)} numbers for {len(labels)} classes; give one for each"
        )
    wrong = [weight for weight in weights if not 0.0 <= weight < float("inf")]
    if wrong or not any(weights):
        raise SegNextError("loss.class_weights must be numbers from 0 on, not all of them 0; mend them")
    given = torch.tensor(weights, dtype=torch.float32)
    return torch.stack([torch.ones_like(given), given]) if labels.multi_label else given


def balanced_weights(frequencies: NDArray[np.float64], power: float) -> Tensor:
    """Weigh each class by frequency ** -power, scaled so that the mean over the pixels is 1; absent classes weigh 0.

    Args:
        frequencies: (classes,) that sum up to 1; or (2, classes), whose columns do, of being absent and present.
        power: 0 weighs all alike.
    """
    present = frequencies > 0
    weights = np.zeros_like(frequencies)
    weights[present] = frequencies[present] ** -power
    mean = (weights * frequencies).sum(0)
    return torch.from_numpy(weights / np.where(mean > 0, mean, 1.0)).float()
