"""Object-contextual representations (Yuan et al., 2020), on all maps stacked, as on HRNet and HRFormer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.model.context import attend
from segnext.model.decoders.parts import Head, stacked
from segnext.model.layers import conv_bn, without_autocast


class Gather(nn.Module):
    """A vector for each class: the mean of all pixels, weighted by the softmax over the positions of its scores.

    Pixels (B, C, H, W), coarse logits (B, K, H, W) -> (B, C, K, 1).
    """

    def forward(self, pixels: Tensor, scores: Tensor) -> Tensor:
        with without_autocast(pixels):
            shares = scores.flatten(2).float().softmax(dim=2)
            return (pixels.flatten(2).float() @ shares.transpose(-2, -1))[..., None].to(pixels.dtype)


class ObjectAttention(nn.Module):
    """Every pixel attends to the classes' vectors and is joined by what it finds. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, keys: int) -> None:
        super().__init__()
        self.query = nn.Sequential(conv_bn(channels, keys), conv_bn(keys, keys))
        self.key = nn.Sequential(conv_bn(channels, keys), conv_bn(keys, keys))
        self.value = conv_bn(channels, keys)
        self.widen = conv_bn(keys, channels)
        self.fuse = conv_bn(2 * channels, channels)

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:
        query, key, value = self.query(pixels), self.key(objects), self.value(objects)
        context = attend(query, key, value, scale=query.shape[1] ** -0.5)
        return self.fuse(torch.cat([self.widen(context), pixels], dim=1))  # type: ignore[no-any-return]


class OCRDecoder(Head):
    """Coarse logits tell what belongs to each class; the classes' vectors then refine the pixels.

    Args:
        encoder_channels: widths of the four stage maps.
        channels: width of the head.
        keys: width of the attention.
        num_classes: classes to tell apart.
        coarse_kernel: side of the convolution before the coarse logits: 1, as wide as the maps together (HRNet), or 3,
            as wide as the head (HRFormer).
        dropout: probability of dropping a channel before the classifier, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_1, W_1).
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        num_classes: int,
        keys: int = 256,
        coarse_kernel: int = 1,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        width = sum(encoder_channels)
        middle = width if coarse_kernel == 1 else channels
        self.coarse = nn.Sequential(conv_bn(width, middle, coarse_kernel), nn.Conv2d(middle, num_classes, 1))
        self.pixels = conv_bn(width, channels, 3)
        self.gather = Gather()
        self.attention = ObjectAttention(channels, keys)
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.refined_and_coarse(maps)[0]

    def refined_and_coarse(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The logits, and the coarse ones that they come from, both of the same size."""
        x = stacked(maps, align_corners=True)  # as released
        scores = self.coarse(x)
        x = self.pixels(x)
        x = self.attention(x, self.gather(x, scores))
        return self.classified(x), scores
