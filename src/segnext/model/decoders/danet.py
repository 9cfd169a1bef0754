"""The dual attention head of DANet (Fu et al., 2019)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.context import attend
from segnext.model.decoders.parts import Head, resize
from segnext.model.layers import ConvNorm, ConvUnit, without_autocast


class PositionAttention(nn.Module):
    """Every position adds a mean of all positions, weighted by likeness. It starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * attend(self.query(x), self.key(x), self.value(x), scale=1.0)


class ChannelAttention(nn.Module):
    """Every channel adds a mean of all channels, weighted by unlikeness. It starts as the identity.

    The released code subtracts the inner products from their maximum, the paper does not; as released.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        with without_autocast(x_BCHW):  # sums over all positions outgrow half precision
            x = x_BCHW.flatten(2).float()
            likeness = x @ x.transpose(-2, -1)
            attention = F.softmax(likeness.amax(dim=-1, keepdim=True) - likeness, dim=-1)
            mixed = (attention @ x).view(x_BCHW.shape)
        return x_BCHW + self.gamma * mixed.to(x_BCHW.dtype)


class DANetDecoder(Head):
    """On the last map, side by side: attention over positions and over channels, each between two 3x3; summed.

    Of the original's three classifiers the one on the sum is here; the other two serve auxiliary losses.

    Args:
        encoder_channels: widths of the four stage maps; only the last map is used.
        channels: width of the head.
        num_classes: classes to tell apart.
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
        unit: ConvUnit = ConvNorm,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        width = encoder_channels[-1]
        self.position_in = unit(width, channels, 3)
        self.position = PositionAttention(channels)
        self.position_out = unit(channels, channels, 3)
        self.channel_in = unit(width, channels, 3)
        self.channel = ChannelAttention()
        self.channel_out = unit(channels, channels, 3)
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[-1]
        position = F.relu(self.position_out(self.position(F.relu(self.position_in(x)))))
        channel = F.relu(self.channel_out(self.channel(F.relu(self.channel_in(x)))))
        x = position + channel
        return resize(self.classified(x), maps[1].shape[2:])
