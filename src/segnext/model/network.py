"""SegNeXt as a whole: encoder + decoder, the configuration that rebuilds it, the four presets."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.errors import SegNextError
from segnext.model.context import EMA, CrissCross, NonLocal
from segnext.model.decoders import ASPPDecoder, DANetDecoder, HamDecoder, MLPDecoder, PSPDecoder
from segnext.model.hamburger import CD, NMF, VQ, Decomposition, Hamburger
from segnext.model.mscan import MSCAN

WITHOUT_CONTEXT: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLPDecoder,
    "aspp": ASPPDecoder,
    "psp": PSPDecoder,
    "danet": DANetDecoder,
}
DECODERS = ("ham", *WITHOUT_CONTEXT)
DECOMPOSITIONS = ("nmf", "vq", "cd")
CONTEXTS = (*DECOMPOSITIONS, "cc", "ema", "nl")


@dataclass(frozen=True)
class ModelConfig:
    """Everything that determines the network's shape; stored with the weights.

    The fields from `stages` on are for ablations; their defaults are the published network. One that
    would have no effect beside the others is refused by `build`.

    Attributes:
        channels: width of each stage.
        depths: blocks in each stage.
        decoder_channels: width of the decoder.
        rank: rank R of the matrix decomposition, or number of bases of "ema".
        num_classes: channels of the logits.
        in_channels: bands of the image.
        expansions: FFN expansion of each stage.
        drop_path: drop path probability of the last block.
        dropout: probability of dropping a channel before the classifier.
        decoder: "ham", "mlp", "aspp", "psp" or "danet".
        stages: stages that "ham" uses, ascending.
        context: what gives "ham" its global context: a Hamburger with "nmf", "vq" or "cd", or in its place
            "cc" (criss-cross attention), "ema" (expectation-maximisation attention) or "nl" (non-local).
        one_step_gradient: back-propagate through the last step of the decomposition alone.
        inverse_temperature: sharpness of the assignments of "vq" and "cd".
        strips: lengths of MSCA's strip pairs.
        square: side of a full depthwise kernel in MSCA, one more scale; with strips=() the only one.
        mix: whether MSCA has its 1x1 convolution.
        gate: whether MSCA multiplies its input.
        lka: VAN's large kernel attention in place of MSCA.
    """

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
    stages: tuple[int, ...] = (2, 3, 4)
    context: str = "nmf"
    one_step_gradient: bool = False
    inverse_temperature: float = 100.0
    strips: tuple[int, ...] = (7, 11, 21)
    square: int | None = None
    mix: bool = True
    gate: bool = True
    lka: bool = False


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
        """The generators from which training draws bases; their states are part of a run's state."""
        return [module.generator for module in self.modules() if isinstance(module, Decomposition)]

    def forward(self, image: Tensor) -> Tensor:
        logits = self.decoder(self.encoder(image))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


def build(config: ModelConfig) -> SegNeXt:
    """The network that `config` describes, with random weights.

    Raises:
        SegNextError: for an unknown name, an impossible value, or a field that would have no effect.
    """
    _check_values(config)
    _check_effects(config)
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


def _check_values(config: ModelConfig) -> None:
    """Refuse unknown names and impossible numbers."""
    for kind, choices in (("decoder", DECODERS), ("context", CONTEXTS)):
        if getattr(config, kind) not in choices:
            raise SegNextError(f"unknown {kind} '{getattr(config, kind)}'; choose from: {', '.join(choices)}")
    if not config.stages or list(config.stages) != sorted({*config.stages} & {1, 2, 3, 4}):
        raise SegNextError(f"stages is {config.stages}; give some of 1, 2, 3, 4, in this order")
    sides = config.strips if config.square is None else (*config.strips, config.square)
    if any(side < 1 or side % 2 == 0 for side in sides):
        raise SegNextError(f"strips is {config.strips} and square {config.square}; lengths must be odd and positive")
    if config.inverse_temperature <= 0:
        raise SegNextError(f"inverse_temperature is {config.inverse_temperature}; it must be positive, such as 10")


def ablations(config: ModelConfig) -> list[str]:
    """The fields in which `config` leaves the published architecture, of whatever size."""
    names = [field.name for field in fields(config)]
    kinds = fields(config)[names.index("decoder") :]
    return [kind.name for kind in kinds if getattr(config, kind.name) != kind.default]


def _check_effects(config: ModelConfig) -> None:
    """Refuse fields that have been changed but have no effect beside the others."""
    idle: dict[str, str] = {}
    if config.lka:
        idle |= dict.fromkeys(("strips", "square", "mix", "gate"), "lka")
    if config.context not in ("vq", "cd"):
        idle |= {"inverse_temperature": f"context '{config.context}'"}
    if config.context not in DECOMPOSITIONS:
        idle |= {"one_step_gradient": f"context '{config.context}'"}
    if config.decoder != "ham":
        ham_alone = ("stages", "context", "one_step_gradient", "inverse_temperature")
        idle |= dict.fromkeys(ham_alone, f"decoder '{config.decoder}'")
    for name in ablations(config):
        if name in idle:
            raise SegNextError(f"{name} has no effect beside {idle[name]}; leave it out")


def preset(name: str, **changes: Any) -> ModelConfig:
    """The published configuration `name` (segnext_t, segnext_s, segnext_b, segnext_l), with changed fields."""
    if name not in PRESETS:
        raise SegNextError(f"unknown model '{name}'; choose from: {', '.join(PRESETS)}")
    names = [field.name for field in fields(ModelConfig)]
    for change in changes:
        if change not in names:
            raise SegNextError(f"a model has no '{change}' to change; choose from: {', '.join(names)}")
    return replace(PRESETS[name], **changes)


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
