"""The all-MLP head of SegFormer (Xie et al., 2021; figure 3a of the SegNeXt paper)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.decoders.parts import Head, resize
from segnext.model.layers import ConvNorm, ConvUnit


class MLPDecoder(Head):
    """Each of the four stages gets the head's width by a linear layer and stage 1's size; one more layer fuses them.

    It works at 1/4 of the image's resolution, as the paper's count of operations tells, and so do its logits.

    Args:
        encoder_channels: widths of the four stage maps.
        channels: width of the head; 256 for SegFormer's small models.
        num_classes: classes to tell apart.
        dropout: probability of dropping a channel before the classifier, in training.
        unit: what fuses them: a convolution and a norm.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_1, W_1).
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        num_classes: int,
        dropout: float = 0.1,
        unit: ConvUnit = ConvNorm,
    ) -> None:
        super().__init__()
        self.unify = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in encoder_channels)
        self.fuse = unit(len(encoder_channels) * channels, channels)
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        unified = [unify(x) for unify, x in zip(self.unify, maps, strict=True)]
        resized = [resize(x, maps[0].shape[2:]) for x in unified]
        x = F.relu(self.fuse(torch.cat(resized, dim=1)))
        return self.classified(x)
