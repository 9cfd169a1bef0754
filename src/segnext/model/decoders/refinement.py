"""A correction of the logits for thin things, at stage 1's resolution; an option beside the published network."""

import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.decoders.parts import resize
from segnext.model.layers import ConvNorm


class Refinement(nn.Module):
    """The decoder's features and stage 1's map, mixed by a 3x3, give what is added to the enlarged logits.

    The features say what is there, at 1/8 of the image; stage 1 knows where exactly, at 1/4. Both are squeezed before
    they meet, so that only few channels have that many positions. At first nothing is added: a trained network with
    a new refinement gives the logits it gave.

    Args:
        detail_channels: width of stage 1's map.
        channels: width D of the decoder.
        width: channels in between, a multiple of 32.
        num_classes: classes to tell apart.

    Forward: logits (B, num_classes, h, w), features (B, D, h, w), stage 1's map (B, C, H, W) -> logits (B, num_classes,
    H, W).
    """

    def __init__(self, *, detail_channels: int, channels: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.context = ConvNorm(channels, width)
        self.detail = ConvNorm(detail_channels, width)
        self.mix = ConvNorm(width, width, 3)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def start(self) -> None:
        """Add nothing."""
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, logits: Tensor, features: Tensor, detail: Tensor) -> Tensor:
        size = detail.shape[2:]
        x = F.relu(self.detail(detail) + resize(self.context(features), size))
        x = F.relu(self.mix(x))
        return resize(logits, size) + self.classifier(x)  # type: ignore[no-any-return]
