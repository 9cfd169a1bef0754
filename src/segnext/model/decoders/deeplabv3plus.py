"""The head of DeepLabV3+ (Chen et al., 2018): a separable ASPP, refined with a map of an early stage."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.model.decoders.parts import Head, resize
from segnext.model.layers import conv_bn, separable_conv

RATES = (12, 24, 36)  # for maps at 1/8


class DeepLabV3PlusDecoder(Head):
    """On the last map, in parallel: 1x1, dilated separable 3x3, the picture's mean; fused, enlarged and joined by the
    first map's few channels, then two separable 3x3.

    Args:
        encoder_channels: widths of the four stage maps; the first and the last are used.
        channels: width of the head.
        early_channels: what the first map is narrowed to.
        num_classes: classes to tell apart.
        rates: dilations.
        dropout: probability of dropping a channel before the classifier, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_1, W_1).
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        num_classes: int,
        early_channels: int = 48,
        rates: Sequence[int] = RATES,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        width = encoder_channels[-1]
        self.pooled = conv_bn(width, channels)
        self.branches = nn.ModuleList(
            [conv_bn(width, channels), *(separable_conv(width, channels, rate) for rate in rates)]
        )
        self.project = conv_bn((2 + len(rates)) * channels, channels, 3)
        self.early = conv_bn(encoder_channels[0], early_channels)
        self.refine = nn.Sequential(
            separable_conv(channels + early_channels, channels), separable_conv(channels, channels)
        )
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[-1]
        mean = self.pooled(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        x = self.project(torch.cat([mean, *(branch(x) for branch in self.branches)], dim=1))
        x = torch.cat([resize(x, maps[0].shape[2:]), self.early(maps[0])], dim=1)
        return self.classified(self.refine(x))
