"""What all losses have in common.

Each is a sum over a batch together with what to divide it by, which is itself a sum over the batch. So what is
minimised does not depend on how a batch is spread over processes, as long as the divisors are added up over them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

Parts = tuple[Tensor, Tensor]  # sum of the losses, sum of their weights; both scalars


def precise(logits: Tensor) -> Tensor:
    """Logits in float32 at least: sums over a picture's pixels are beyond half precision."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def enlarged(logits: Tensor, target: Tensor) -> Tensor:
    """Logits, (B, classes, h, w), enlarged bilinearly to the target, (B, H, W) or (B, classes, H, W)."""
    size = target.shape[-2:]
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def modulated(negative_log: Tensor, gamma: float) -> Tensor:
    """(1 - p) ** gamma * -log p of the probability p that was given to the truth (Lin et al., 2017, equation 4)."""
    doubt = -torch.expm1(-negative_log)
    # At 0 the power's slope is infinite for gamma < 1, where the loss is 0 anyway.
    return doubt.clamp(min=1e-8) ** gamma * negative_log
