"""What all decoders share."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def resize(x: Tensor, size: Sequence[int], *, align_corners: bool = False) -> Tensor:
    """Bilinear, (B, C, H, W) -> (B, C, *size)."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=align_corners)


def stacked(maps: Sequence[Tensor], *, align_corners: bool = False) -> Tensor:
    """All maps at the first one's size, channel after channel: (B, sum of the C_i, H_1, W_1)."""
    size = maps[0].shape[2:]
    return torch.cat([maps[0], *(resize(x, size, align_corners=align_corners) for x in maps[1:])], dim=1)


def init_decoder(decoder: nn.Module, classifier: nn.Conv2d) -> None:
    """The released head's initialisation: convolutions normal with variance 2 / fan-out, the classifier 0.01."""
    decoder.apply(_init_convolution)
    nn.init.normal_(classifier.weight, std=0.01)


def _init_convolution(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
