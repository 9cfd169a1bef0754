"""Fully convolutional heads (Long et al., 2015): on the last map alone, on three maps, and on all of them stacked."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.model.decoders.parts import Head, resize, stacked
from segnext.model.layers import ChannelDropout, conv_bn


class FCNDecoder(Head):
    """3x3 convolutions on one map and a classifier; the form that others are compared with, on maps at 1/8.

    Args:
        encoder_channels: widths of the four stage maps.
        channels: width of the head.
        num_classes: classes to tell apart.
        convs: 3x3 convolutions; after more than one, the map is stacked on their result and fused by another. With
            one it is torchvision's head, and the auxiliary head of others.
        tap: the map to use.
        dropout: probability of dropping a channel before the classifier, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_tap, W_tap).
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        num_classes: int,
        convs: int = 2,
        tap: int = -1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.tap = tap
        width = encoder_channels[tap]
        self.convs = nn.Sequential(
            conv_bn(width, channels, 3), *(conv_bn(channels, channels, 3) for _ in range(convs - 1))
        )
        self.fuse = conv_bn(width + channels, channels, 3) if convs > 1 else None
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.convs(maps[self.tap])
        if self.fuse is not None:
            x = self.fuse(torch.cat([maps[self.tap], x], dim=1))
        return self.classified(x)


class FCN8sDecoder(Head):
    """The original's skips: scores of the last three maps, each enlarged to the next larger one and added.

    The original's layers of 4096 channels before the deepest score belong to its VGG; here a 3x3 takes their place.

    Args:
        encoder_channels: widths of the four stage maps; the last three maps are used.
        channels: width of the 3x3 on the last map.
        num_classes: classes to tell apart.
        dropout: probability of dropping a channel before the deepest score, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_2, W_2).
    """

    def __init__(
        self, *, encoder_channels: Sequence[int], channels: int, num_classes: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.deepest = conv_bn(encoder_channels[-1], channels, 3)
        self.dropout = ChannelDropout(dropout)
        self.classifier = nn.Conv2d(channels, num_classes, 1)
        self.skips = nn.ModuleList(nn.Conv2d(width, num_classes, 1) for width in encoder_channels[1:3])
        self.initialise()
        for skip in self.skips:
            nn.init.zeros_(skip.weight)  # type: ignore[arg-type]  # section 4.2: training starts from the deepest

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        scores: Tensor = self.classifier(self.dropout(self.deepest(maps[-1])))
        for skip, x in zip(reversed(self.skips), maps[2:0:-1], strict=True):
            scores = resize(scores, x.shape[2:]) + skip(x)
        return scores


class StackedDecoder(Head):
    """HRNetV2's head (Wang et al., 2020): all maps stacked at the largest one's size, a 1x1, a classifier.

    Args:
        encoder_channels: widths of the four stage maps, whose sum is the head's width.
        channels: says nothing; the head is as wide as the maps together.
        num_classes: classes to tell apart.
        dropout: probability of dropping a channel before the classifier, in training; 0 in the original.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_1, W_1).
    """

    def __init__(self, *, encoder_channels: Sequence[int], num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        width = sum(encoder_channels)
        self.fuse = conv_bn(width, width)
        self.end(width, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.classified(self.fuse(stacked(maps)))
