"""The head of UPerNet (Xiao et al., 2018): pyramid pooling at the end of a feature pyramid."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.model.decoders.parts import Head, region_means, resize, stacked
from segnext.model.decoders.psp import BINS
from segnext.model.layers import conv_bn


class UPerNetDecoder(Head):
    """PSPNet's pooling on the last map; from it down, each map adds what the smaller ones have; all are fused.

    Args:
        encoder_channels: widths of the four stage maps.
        channels: width of the head.
        num_classes: classes to tell apart.
        bins: regions along each side, level by level of the pooling.
        dropout: probability of dropping a channel before the classifier, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_1, W_1).
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        num_classes: int,
        bins: Sequence[int] = BINS,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        *earlier, width = encoder_channels
        self.bins = tuple(bins)
        self.pooled = nn.ModuleList(conv_bn(width, channels) for _ in bins)
        self.top = conv_bn(width + len(bins) * channels, channels, 3)
        self.lateral = nn.ModuleList(conv_bn(width, channels) for width in earlier)
        self.smooth = nn.ModuleList(conv_bn(channels, channels, 3) for _ in earlier)
        self.fuse = conv_bn((1 + len(earlier)) * channels, channels, 3)
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[-1]
        pyramid = [pooled(region_means(x, bins)) for bins, pooled in zip(self.bins, self.pooled, strict=True)]
        levels = [self.top(torch.cat([x, *(resize(mean, x.shape[2:]) for mean in pyramid)], dim=1))]
        for lateral, x in zip(reversed(self.lateral), maps[-2::-1], strict=True):
            levels.insert(0, lateral(x) + resize(levels[0], x.shape[2:]))
        smoothed = [smooth(x) for smooth, x in zip(self.smooth, levels[:-1], strict=True)]
        return self.classified(self.fuse(stacked([*smoothed, levels[-1]])))
