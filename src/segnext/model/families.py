"""The families of networks: what determines one, the published ones, and how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segnext.errors import SegNextError
from segnext.model.composed import COMPOSED, ComposedConfig
from segnext.model.config import SEGFORMER, SEGNEXT, ModelConfig, NetworkConfig, SegFormerConfig
from segnext.model.functions import FunctionConfig

if TYPE_CHECKING:  # torch is imported when a network is built
    from segnext.model.encoders import Encoder
    from segnext.model.network import Network

LARGEST = 1 << 20  # of whatever a configuration counts; torch fails in its own words far beyond


@dataclass(frozen=True)
class Family:
    """A family of networks.

    Attributes:
        title: as its authors write it.
        paper: who described it, where.
        config: what determines one of its networks.
        presets: the published ones by name.
        encoder: the encoder of a configuration, with random weights.
        network: the whole network, with random weights.
    """

    title: str
    paper: str
    config: type[Any]
    presets: Mapping[str, NetworkConfig]
    encoder: "Callable[[Any], Encoder]"
    network: "Callable[[Any], Network]"


def _mscan(config: ModelConfig) -> "Encoder":
    from segnext.model.segnext import mscan

    return mscan(config)


def _segnext(config: ModelConfig) -> "Network":
    from segnext.model.network import SegNeXt
    from segnext.model.segnext import decoder, mscan

    return SegNeXt(mscan(config), decoder(config), config)


def _mit(config: SegFormerConfig) -> "Encoder":
    from segnext.model.encoders import MiT

    return MiT(
        in_channels=config.in_channels,
        channels=config.channels,
        depths=config.depths,
        heads=config.heads,
        reductions=config.reductions,
        expansions=config.expansions,
        drop_path=config.drop_path,
    )


def _segformer(config: SegFormerConfig) -> "Network":
    from segnext.model.decoders import MLPDecoder
    from segnext.model.layers import plain_conv_bn
    from segnext.model.network import SegFormer

    decoder = MLPDecoder(
        encoder_channels=config.channels,
        channels=config.decoder_channels,
        num_classes=config.num_classes,
        dropout=config.dropout,
        unit=plain_conv_bn,
    )
    return SegFormer(_mit(config), decoder, config)


def _compose_encoder(config: ComposedConfig) -> "Encoder":
    from segnext.model.compose import compose_encoder

    return compose_encoder(config)


def _compose(config: ComposedConfig) -> "Network":
    from segnext.model.compose import compose

    return compose(config)


def _own_encoder(config: FunctionConfig) -> "Encoder":
    from segnext.model.own import own_encoder

    return own_encoder(config)


def _own(config: FunctionConfig) -> "Network":
    from segnext.model.own import own_network

    return own_network(config)


# By the name that weights files have of them; those without one are of the first.
FAMILIES: dict[str, Family] = {
    "segnext": Family("SegNeXt", "Guo et al., NeurIPS 2022, arXiv 2209.08575", ModelConfig, SEGNEXT, _mscan, _segnext),
    "segformer": Family(
        "SegFormer", "Xie et al., NeurIPS 2021, arXiv 2105.15203", SegFormerConfig, SEGFORMER, _mit, _segformer
    ),
    "composed": Family("", "its papers are in docs/peers.md", ComposedConfig, COMPOSED, _compose_encoder, _compose),
    "own": Family("", "the user's own", FunctionConfig, {}, _own_encoder, _own),
}


def family_name(config: NetworkConfig) -> str:
    """The name of the family that a configuration is of."""
    return next(name for name, family in FAMILIES.items() if family.config is type(config))


def family_of(config: NetworkConfig) -> Family:
    """The family that a configuration is of."""
    return FAMILIES[family_name(config)]


def build(config: NetworkConfig) -> "Network":
    """The network that `config` describes, with random weights.

    Raises:
        SegNextError: for an unknown name, an impossible value, or a field that would have no effect.
    """
    for name, value in vars(config).items():
        if any(isinstance(part, int) and part > LARGEST for part in (value if isinstance(value, tuple) else (value,))):
            raise SegNextError(f"{name} is too large; a network's numbers are at most {LARGEST:,}")
    for name in ("num_classes", "in_channels"):
        count = getattr(config, name)
        if not isinstance(count, int) or count < 1:
            raise SegNextError(f"{name} is {count!r}; it must be a whole number from 1 on")
    config.check()
    return family_of(config).network(config)
