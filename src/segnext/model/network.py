"""SegNeXt as a whole: encoder + decoder, the configuration that rebuilds it, the four presets."""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.errors import SegNextError
from segnext.model.decoders import HamDecoder
from segnext.model.hamburger import NMF
from segnext.model.mscan import MSCAN


@dataclass(frozen=True)
class ModelConfig:
    """Everything that determines the network's shape; stored with the weights."""

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    decoder_channels: int
    rank: int
    num_classes: int = 150
    in_channels: int = 3
    expansions: tuple[int, int, int, int] = (8, 8, 4, 4)
    drop_path: float = 0.1
    dropout: float = 0.1
    decoder: str = "ham"


PRESETS: dict[str, ModelConfig] = {
    "segnext_t": ModelConfig((32, 64, 160, 256), (3, 3, 5, 2), decoder_channels=256, rank=16),
    "segnext_s": ModelConfig((64, 128, 320, 512), (2, 2, 4, 2), decoder_channels=256, rank=16),
    "segnext_b": ModelConfig((64, 128, 320, 512), (3, 3, 12, 3), decoder_channels=512, rank=64),
    "segnext_l": ModelConfig((64, 128, 320, 512), (3, 5, 27, 3), decoder_channels=1024, rank=64, drop_path=0.3),
}


class SegNeXt(nn.Module):
    """Encoder and decoder in a row; the logits are resized to the image.

    Forward: normalised image (B, bands, H, W), any H and W >= 1 -> logits (B, classes, H, W).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def random_generators(self) -> list[torch.Generator]:
        """The generators from which training draws NMF bases; their states are part of a run's state."""
        return [module.generator for module in self.modules() if isinstance(module, NMF)]

    def forward(self, image: Tensor) -> Tensor:
        logits = self.decoder(self.encoder(image))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


def build(config: ModelConfig) -> SegNeXt:
    """The network that `config` describes, with random weights."""
    if config.decoder != "ham":
        raise SegNextError(f"unknown decoder '{config.decoder}'; choose from: ham")
    encoder = MSCAN(
        in_channels=config.in_channels,
        channels=config.channels,
        depths=config.depths,
        expansions=config.expansions,
        drop_path=config.drop_path,
    )
    decoder = HamDecoder(
        encoder_channels=config.channels,
        channels=config.decoder_channels,
        rank=config.rank,
        num_classes=config.num_classes,
        dropout=config.dropout,
    )
    return SegNeXt(encoder, decoder)


def preset(name: str, **changes: Any) -> ModelConfig:
    """The published configuration `name` (segnext_t, segnext_s, segnext_b, segnext_l), with changes."""
    if name not in PRESETS:
        raise SegNextError(f"unknown model '{name}'; choose from: {', '.join(PRESETS)}")
    return replace(PRESETS[name], **changes)


def create_model(name: str, *, num_classes: int = 150, in_channels: int = 3, decoder: str = "ham") -> SegNeXt:
    """A SegNeXt with random weights.

    Args:
        name: segnext_t, segnext_s, segnext_b or segnext_l (table 2 of the paper).
        num_classes: channels of the logits.
        in_channels: bands of the image.
        decoder: "ham", the Hamburger head.

    Returns:
        A module with `.encoder` and `.decoder`; see `SegNeXt`.

    Raises:
        SegNextError: for an unknown name.
    """
    return build(preset(name, num_classes=num_classes, in_channels=in_channels, decoder=decoder))
