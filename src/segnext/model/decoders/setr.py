"""The heads of SETR (Zheng et al., 2021): naive and progressive upsampling of the last map, aggregation of four."""

from collections.abc import Sequence

from torch import Tensor, nn

from segnext.model.decoders.parts import Head, resize, stacked
from segnext.model.layers import conv_bn


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Bilinear, (B, C, H, W) -> (B, C, factor H, factor W)."""
    return resize(x, [factor * side for side in x.shape[2:]])


class SETRUpDecoder(Head):
    """Naive: a 1x1 and the classifier. PUP: a 3x3 and twice the size, step by step.

    Args:
        encoder_channels: widths of the four stage maps; the last map is used.
        channels: width of the head.
        num_classes: classes to tell apart.
        steps: 1 is the naive head; 4 is PUP, whose last enlargement is that to the image.
        dropout: probability of dropping a channel before the classifier, in training; 0 in the original.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, F H_4, F W_4), F = 2 ** (steps - 1).
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        num_classes: int,
        steps: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        kernel = 1 if steps == 1 else 3
        widths = [encoder_channels[-1]] + (steps - 1) * [channels]
        self.steps = nn.ModuleList(conv_bn(width, channels, kernel) for width in widths)
        self.end(channels, num_classes, dropout)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[-1]
        for number, step in enumerate(self.steps):
            x = step(enlarged(x, 2) if number else x)
        return self.classified(x)


class SETRMLADecoder(Head):
    """Multi-level aggregation: each map gets the sum of itself and all later ones, then its own convolutions at four
    times the size; all stacked. Maps of other encoders are first brought to the last one's size.

    Args:
        encoder_channels: widths of the four stage maps.
        channels: width of each level, halved in its last convolutions.
        num_classes: classes to tell apart.
        dropout: probability of dropping a channel before the classifier, in training; 0 in the original.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, 4 H_4, 4 W_4).
    """

    def __init__(
        self, *, encoder_channels: Sequence[int], channels: int, num_classes: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        half = channels // 2
        self.narrow = nn.ModuleList(conv_bn(width, channels) for width in encoder_channels)
        self.levels = nn.ModuleList(
            nn.Sequential(conv_bn(channels, channels, 3), conv_bn(channels, half, 3), conv_bn(half, half, 3))
            for _ in encoder_channels
        )
        self.end(len(encoder_channels) * half, num_classes, dropout, kernel=3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        narrowed = [resize(narrow(x), maps[-1].shape[2:]) for narrow, x in zip(self.narrow, maps, strict=True)]
        for index in range(len(maps) - 2, -1, -1):
            narrowed[index] = narrowed[index] + narrowed[index + 1]
        levels = [
            resize(level(x), [4 * side for side in x.shape[2:]], align_corners=True)
            for level, x in zip(self.levels, narrowed, strict=True)
        ]
        return self.classified(stacked(levels))
