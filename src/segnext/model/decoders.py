"""Decoders: the encoder's four maps become class logits at 1/8 of the image's resolution."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.hamburger import NMF, Hamburger
from segnext.model.layers import ConvNorm


class HamDecoder(nn.Module):
    """The light Hamburger head (section 3.2, figure 3c): stages 2 to 4, squeezed, given global context.

    Args:
        encoder_channels: widths of the four stage maps.
        channels: width D of the head.
        rank: rank R of the matrix decomposition.
        num_classes: classes to tell apart.
        dropout: probability of dropping a channel before the classifier, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_2, W_2).
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        rank: int,
        num_classes: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.squeeze = ConvNorm(sum(encoder_channels[1:]), channels)
        self.hamburger = Hamburger(channels, NMF(channels, rank))
        self.align = ConvNorm(channels, channels)
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(channels, num_classes, 1)
        self.apply(init_decoder_weights)
        nn.init.normal_(self.classifier.weight, std=0.01)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        _, *used = maps  # stage 1 holds too much low-level detail to help (section 4.2)
        size = used[0].shape[2:]
        resized = [F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in used]
        x = F.relu(self.squeeze(torch.cat(resized, dim=1)))
        x = self.hamburger(x)
        x = F.relu(self.align(x))
        return self.classifier(self.dropout(x))  # type: ignore[no-any-return]


def init_decoder_weights(module: nn.Module) -> None:
    """The released head's initialisation: convolutions normal with variance 2 / fan-out, biases zero."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
