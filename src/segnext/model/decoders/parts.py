"""What all decoders share."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, (B, C, H, W) -> (B, C, *size)."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def init_decoder(decoder: nn.Module, classifier: nn.Conv2d) -> None:
    """The released head's initialisation: convolutions normal with variance 2 / fan-out, the classifier 0.01."""
    decoder.apply(_init_convolution)
    nn.init.normal_(classifier.weight, std=0.01)


def _init_convolution(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
