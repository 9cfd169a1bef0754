"""What all decoders share."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.layers import ChannelDropout


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


class Head(nn.Module):
    """A decoder that ends by dropping channels and a classifier."""

    def end(self, channels: int, num_classes: int, dropout: float, kernel: int = 1) -> None:
        """Add the end, behind `channels`, and initialise the whole."""
        self.dropout = ChannelDropout(dropout)
        self.classifier = nn.Conv2d(channels, num_classes, kernel, padding=kernel // 2)
        self.initialise()

    def initialise(self) -> None:
        """As the released head: convolutions normal with variance 2 / fan-out, the classifier's weights 0.01."""
        self.apply(_init_convolution)
        nn.init.normal_(self.classifier.weight, std=0.01)

    def classified(self, x: Tensor) -> Tensor:
        """Scores of all classes."""
        scores: Tensor = self.classifier(self.dropout(x))
        return scores


def _init_convolution(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
