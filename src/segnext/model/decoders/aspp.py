"""The atrous spatial pyramid pooling head of DeepLabV3 (Chen et al., 2017)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.decoders.parts import Head, resize
from segnext.model.layers import ConvNorm, ConvUnit

RATES = (3, 6, 9)  # DeepLabV3's 6, 12, 18 are for 1/16 of the resolution; at 1/32 half of them reach as far


class ASPPDecoder(Head):
    """On the last map, in parallel: 1x1, dilated 3x3 of growing reach, the mean of the picture; fused by a 1x1.

    Args:
        encoder_channels: widths of the four stage maps; only the last map is used.
        channels: width of the head.
        num_classes: classes to tell apart.
        rates: dilations.
        unit: convolution and norm; `plain_conv_bn` for the original's.
        refine: whether a 3x3 follows the fusion, as in torchvision's.
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
        rates: Sequence[int] = RATES,
        unit: ConvUnit = ConvNorm,
        refine: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        width = encoder_channels[-1]
        self.pointwise = unit(width, channels)
        self.dilated = nn.ModuleList(unit(width, channels, 3, rate) for rate in rates)
        self.pooled = unit(width, channels)
        self.project = unit((2 + len(rates)) * channels, channels)
        self.refine = nn.Sequential(unit(channels, channels, 3), nn.ReLU()) if refine else nn.Identity()
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[-1]
        mean = self.pooled(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        branches = [self.pointwise(x), *(dilated(x) for dilated in self.dilated), mean]
        x = self.refine(F.relu(self.project(F.relu(torch.cat(branches, dim=1)))))
        return resize(self.classified(x), maps[1].shape[2:])
