"""A network as a whole: encoder + decoder, and the configuration that determines it."""

import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.config import NetworkConfig, aligns_corners
from segnext.model.encoders import Encoder
from segnext.model.trainable import Trainable


class Network(Trainable):
    """Encoder and decoder in a row; the logits are resized to the image.

    Attributes:
        encoder: image -> four maps.
        decoder: four maps -> logits at the size of one of them.
        config: what determines the network's shape.

    Forward: normalised image (B, bands, H, W), any H and W >= 1 -> logits (B, classes, H, W), or with
    enlarge=False as the decoder gives them.
    """

    def __init__(self, encoder: Encoder, decoder: nn.Module, config: NetworkConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.config = config

    def forward(self, image: Tensor, enlarge: bool = True) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(image))
        if not enlarge:
            return logits
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=aligns_corners(self.config))


class SegNeXt(Network):
    """MSCAN and the Hamburger head, or what is compared with them."""


class SegFormer(Network):
    """MiT and the all-MLP head."""
