"""SegNeXt's parts, from the configuration that determines them."""

from collections.abc import Callable

from torch import nn

from segnext.model.config import ModelConfig
from segnext.model.context import EMA, CrissCross, NonLocal
from segnext.model.decoders import ASPPDecoder, DANetDecoder, HamDecoder, MLPDecoder, PSPDecoder
from segnext.model.encoders import MSCAN
from segnext.model.hamburger import CD, NMF, VQ, Hamburger

WITHOUT_CONTEXT: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLPDecoder,
    "aspp": ASPPDecoder,
    "psp": PSPDecoder,
    "danet": DANetDecoder,
}


def mscan(config: ModelConfig) -> MSCAN:
    """The encoder."""
    return MSCAN(
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


def decoder(config: ModelConfig) -> nn.Module:
    """The decoder."""
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
        refine=config.refine,
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
