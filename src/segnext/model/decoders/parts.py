"""What all decoders share."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def resize(x: Tensor, size: Sequence[int], *, align_corners: bool = False) -> Tensor:
    """Bilinear, (B, C, H, W) -> (B, C, *size)."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


def stacked(maps: Sequence[Tensor], *, align_corners: bool = False) -> Tensor:
    """All maps at the first one's size, channel after channel: (B, sum of the C_i, H_1, W_1)."""
    size = maps[0].shape[2:]
    return torch.cat([maps[0], *(resize(x, size, align_corners=align_corners) for x in maps[1:])], dim=1)


def region_means(x: Tensor, bins: int) -> Tensor:
    """Means over `bins` x `bins` regions, as torch's adaptive pooling: (B, C, H, W) -> (B, C, bins, bins)."""
    if not torch.compiler.is_exporting():
        return F.adaptive_avg_pool2d(x, bins)
    rows, columns = (_shares(side, bins, x) for side in x.shape[2:])  # the pooling is exported for one size alone
    return rows @ x @ columns.transpose(-2, -1)


def _shares(side: int, bins: int, like: Tensor) -> Tensor:
    """How much each place along a side counts in each region's mean: (bins, side)."""
    region = torch.arange(bins, device=like.device)[:, None]
    start = torch.div(region * side, bins, rounding_mode="floor")
    end = torch.div((region + 1) * side + bins - 1, bins, rounding_mode="floor")
    place = torch.arange(side, device=like.device)
    return ((place >= start) & (place < end)).to(like.dtype) / (end - start)


def init_decoder(decoder: nn.Module, classifier: nn.Conv2d) -> None:
    """The released head's initialisation: convolutions normal with variance 2 / fan-out, the classifier 0.01."""
    decoder.apply(_init_convolution)
    nn.init.normal_(classifier.weight, std=0.01)


def _init_convolution(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
