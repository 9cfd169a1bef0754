"""The pyramid pooling head of PSPNet (Zhao et al., 2017)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.decoders.parts import Head, region_means, resize
from segnext.model.layers import ConvNorm, ConvUnit

BINS = (1, 2, 3, 6)


class PSPDecoder(Head):
    """The last map beside its means over 1, 2 x 2, 3 x 3 and 6 x 6 regions, fused by a 3x3.

    Args:
        encoder_channels: widths of the four stage maps; only the last map is used.
        channels: width of the head and of each pyramid level.
        num_classes: classes to tell apart.
        bins: regions along each side, level by level.
        unit: convolution and norm; `plain_conv_bn` for the original's.
        dropout: probability of dropping a channel before the classifier, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_2, W_2), found at stage 4's
    resolution and enlarged.
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        num_classes: int,
        bins: Sequence[int] = BINS,
        unit: ConvUnit = ConvNorm,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        width = encoder_channels[-1]
        self.bins = tuple(bins)
        self.levels = nn.ModuleList(unit(width, channels) for _ in bins)
        self.fuse = unit(width + len(bins) * channels, channels, 3)
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[-1]
        pyramid = [x]
        for bins, level in zip(self.bins, self.levels, strict=True):
            pooled = F.relu(level(region_means(x, bins)))
            pyramid.append(resize(pooled, x.shape[2:]))
        x = F.relu(self.fuse(torch.cat(pyramid, dim=1)))
        return resize(self.classified(x), maps[1].shape[2:])
