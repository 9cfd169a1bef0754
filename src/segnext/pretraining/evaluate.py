"""Top-1 and top-5 accuracy of a classifier."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.preprocess import Preprocess
from segnext.pretraining.augment import normalise


@dataclass(frozen=True)
class Accuracy:
    """Shares of the pictures, 0..1, whose class is the most probable one or among the five most probable ones, and
    the mean cross entropy.
    """

    top1: float
    top5: float
    loss: float


@torch.no_grad()
def accuracy(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]],
    seen: Callable[[int], None] = lambda count: None,
) -> Accuracy:
    """Measure `model`, in evaluation mode, on batches of pictures (B, 3, S, S) uint8 and labels (B,).

    Args:
        model: normalised pictures -> logits (B, classes).
        batches: at least one.
        device: where the model is.
        autocast: context of the forward pass.
        seen: called with the number of pictures done after each batch.
    """
    preprocess = Preprocess()
    count = 0
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    for images, labels in batches:
        labels = labels.to(device, non_blocking=True)
        batch = normalise(images.to(device, non_blocking=True).float() / 255.0, preprocess)
        with autocast():
            logits = model(batch.contiguous(memory_format=torch.channels_last))
        logits = logits.float()
        hits = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels[:, None]
        sums += torch.stack([hits[:, 0].sum(), hits.sum(), F.cross_entropy(logits, labels, reduction="sum")]).double()
        count += len(labels)
        seen(count)
    top1, top5, loss = (sums / count).tolist()
    return Accuracy(top1, top5, loss)
