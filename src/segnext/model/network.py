"""SegNeXt as a whole: encoder + decoder, built from the configuration that determines it."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.config import ModelConfig, check, preset
from segnext.model.context import EMA, CrissCross, NonLocal
from segnext.model.decoders import ASPPDecoder, DANetDecoder, HamDecoder, MLPDecoder, PSPDecoder
from segnext.model.hamburger import CD, NMF, VQ, Hamburger
from segnext.model.mscan import MSCAN
from segnext.model.trainable import Trainable

WITHOUT_CONTEXT: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLPDecoder,
    "aspp": ASPPDecoder,
    "psp": PSPDecoder,
    "danet": DANetDecoder,
}


class SegNeXt(Trainable):
    """Encoder and decoder in a row; the logits are resized to the image.

    Forward: normalised image (B, bands, H, W), any H and W >= 1 -> logits (B, classes, H, W), or with
    enlarge=False as the decoder gives them, at 1/8 or 1/4.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, image: Tensor, enlarge: bool = True) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(image))
        if not enlarge:
            return logits
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


def build(config: ModelConfig) -> SegNeXt:
    """The network that `config` describes, with random weights.

    Raises:
        SegNextError: for an unknown name, an impossible value, or a field that would have no effect.
    """
    check(config)
    encoder = MSCAN(
        in_channels=config.in_channels,
        channels=config.channels,
        depths=config.depths,
        expansions=config.expansions,
        drop_path=config.drop_path,
        strips=config.strips,
        square=config.square,
        mix=config.mix,
        gate=config.gate,
        lka=config.lka,
    )
    return SegNeXt(encoder, _decoder(config))


def _decoder(config: ModelConfig) -> nn.Module:
    if config.decoder != "ham":
        return WITHOUT_CONTEXT[config.decoder](
            encoder_channels=config.channels,
            channels=config.decoder_channels,
            num_classes=config.num_classes,
            dropout=config.dropout,
        )
    return HamDecoder(
        encoder_channels=config.channels,
        channels=config.decoder_channels,
        context=_context(config),
        num_classes=config.num_classes,
        stages=config.stages,
        dropout=config.dropout,
    )


def _context(config: ModelConfig) -> nn.Module:
    channels, rank, one_step = config.decoder_channels, config.rank, config.one_step_gradient
    if config.context == "cc":
        return CrissCross(channels)
    if config.context == "ema":
        return EMA(channels, rank)
    if config.context == "nl":
        return NonLocal(channels)
    if config.context == "nmf":
        return Hamburger(channels, NMF(channels, rank, one_step_gradient=one_step))
    clustering = VQ if config.context == "vq" else CD
    ham = clustering(channels, rank, one_step_gradient=one_step, inverse_temperature=config.inverse_temperature)
    return Hamburger(channels, ham)


def create_model(
    name: str, *, num_classes: int = 150, in_channels: int = 3, decoder: str = "ham", **changes: Any
) -> SegNeXt:
    """A SegNeXt with random weights.

    Args:
        name: segnext_t, segnext_s, segnext_b or segnext_l (table 2 of the paper).
        num_classes: channels of the logits.
        in_channels: bands of the image.
        decoder: "ham", the Hamburger head, or "mlp", "aspp", "psp", "danet".
        changes: any other field of `ModelConfig`, such as strips=(7, 11) or context="vq".

    Returns:
        A module with `.encoder` and `.decoder`; see `SegNeXt`.

    Raises:
        SegNextError: for an unknown name, an impossible value, or a change that would have no effect.
    """
    return build(preset(name, num_classes=num_classes, in_channels=in_channels, decoder=decoder, **changes))
