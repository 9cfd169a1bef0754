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

    @classmethod
    def of(cls, sums: Tensor) -> "Accuracy":
        """From what `accuracy_sums` gives, also when added up over several parts."""
        top1, top5, loss, count = sums.tolist()
        return cls(top1 / count, top5 / count, loss / count)


@torch.no_grad()
def accuracy_sums(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]],
    seen: Callable[[int], None] = lambda count: None,
) -> Tensor:
    """Count the hits of `model`, in evaluation mode, on batches of pictures (B, 3, S, S) uint8 and labels (B,).

    Args:
        model: normalised pictures -> logits (B, classes).
        batches: what is measured on.
        device: where the model is.
        autocast: gives the context of the forward pass.
        seen: called with the number of pictures done after each batch.

    Returns:
        (4,) float64: top-1 hits, top-5 hits, the sum of the cross entropies, and the number of pictures.
    """
    preprocess = Preprocess()
    sums = torch.zeros(4, dtype=torch.float64, device=device)
    count = 0
    for images, on_cpu in batches:
        labels = on_cpu.to(device, non_blocking=True)
        batch = normalise(images.to(device, non_blocking=True).float() / 255.0, preprocess)
        with autocast():
            logits = model(batch.contiguous(memory_format=torch.channels_last)).float()
        hits = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels[:, None]
        loss = F.cross_entropy(logits, labels, reduction="sum")
        count += len(on_cpu)
        sums += torch.stack([hits[:, 0].sum(), hits.sum(), loss, loss.new_tensor(len(on_cpu))]).double()
        seen(count)
    return sums
