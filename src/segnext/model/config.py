"""What determines a network's shape, and the presets; plain data, without torch."""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from segnext.choices import meant, require_choice
from segnext.errors import SegNextError
from segnext.model.composed import COMPOSED, ComposedConfig, pair
from segnext.model.functions import FunctionConfig, allow

STRIDES = (4, 8, 16, 32)  # pixels of the image for a position of each stage's map, in every family
DECODERS = ("ham", "mlp", "aspp", "psp", "danet")
DECOMPOSITIONS = ("nmf", "vq", "cd")
CONTEXTS = (*DECOMPOSITIONS, "cc", "ema", "nl")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What can be exchanged in a network of any size, for ablations; the defaults are the published network.

    A field that would have no effect beside the others is refused by `build`.

    Attributes:
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
        refine: channels, a multiple of 32, of a correction of "ham"'s logits at stage 1's resolution; 0 for none. It is
            not in the paper.
    """

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
    refine: int = 0


@dataclass(frozen=True)
class ModelConfig(Architecture):
    """Everything that determines the network's shape; stored with the weights.

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
        align_corners: whether the logits are enlarged from corner to corner, as in the Intel port.
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
    align_corners: bool = False

    decoders: ClassVar[tuple[str, ...]] = DECODERS

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the image for a position of each stage's map; sides of the input are multiples of the last."""
        return STRIDES

    @property
    def logits_stride(self) -> int:
        """Pixels of the image for a position of the logits."""
        if self.decoder == "mlp" or (self.decoder == "ham" and (1 in self.stages or self.refine)):
            return STRIDES[0]
        return STRIDES[1]

    def check(self) -> None:
        """Refuse unknown names, impossible numbers, and fields that were changed but have no effect beside the others.

        Raises:
            SegNextError: that says which field, and what to do.
        """
        _check_values(self)
        _check_effects(self)


@dataclass(frozen=True)
class SegFormerConfig:
    """Everything that determines the shape of a SegFormer (Xie et al., 2021): MiT and the all-MLP head, with
    BatchNorm as there.

    Attributes:
        channels: width of each stage.
        depths: blocks in each stage.
        heads: of each stage's attention.
        decoder_channels: width of the decoder.
        num_classes: channels of the logits.
        in_channels: bands of the image.
        decoder: "mlp".
        reductions: side of the patch that becomes one key and value, of each stage.
        expansions: Mix-FFN expansion of each stage.
        drop_path: drop path probability of the last block.
        dropout: probability of dropping a channel before the classifier.
    """

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    decoder_channels: int
    num_classes: int = 150
    in_channels: int = 3
    decoder: str = "mlp"
    reductions: tuple[int, int, int, int] = (8, 4, 2, 1)
    expansions: tuple[int, int, int, int] = (4, 4, 4, 4)
    drop_path: float = 0.1
    dropout: float = 0.1

    decoders: ClassVar[tuple[str, ...]] = ("mlp",)

    @property
    def strides(self) -> tuple[int, ...]:
        """As of `ModelConfig`."""
        return STRIDES

    @property
    def logits_stride(self) -> int:
        """As of `ModelConfig`."""
        return STRIDES[0]

    def check(self) -> None:
        """Refuse another decoder, and heads that cannot share the channels.

        Raises:
            SegNextError: that says which field, and what to do.
        """
        if self.decoder not in self.decoders:
            raise SegNextError(f"a SegFormer has the decoder mlp, not {self.decoder!r}; leave decoder out")
        if any(heads < 1 or width % heads for width, heads in zip(self.channels, self.heads, strict=True)):
            raise SegNextError(f"channels {self.channels} cannot be divided among heads {self.heads}")


StagedConfig = ModelConfig | SegFormerConfig
PublishedConfig = StagedConfig | ComposedConfig
BuildableConfig = PublishedConfig | FunctionConfig


@dataclass(frozen=True)
class ExportedConfig:
    """A network in a file that another runtime runs as it is; see `export.deployed.Interface`.

    Attributes:
        file: its path.
        to: "onnx" or "openvino".
        precision: that it was written in.
        input: "uint8" or "float".
        output: "labels", "confidence" or "logits".
        network: what was exported.
    """

    file: str
    to: str
    precision: str
    input: str
    output: str
    network: BuildableConfig

    decoders: ClassVar[tuple[str, ...]] = ()

    @property
    def num_classes(self) -> int:
        """As of `ModelConfig`."""
        return self.network.num_classes

    @property
    def in_channels(self) -> int:
        """As of `ModelConfig`."""
        return self.network.in_channels

    @property
    def strides(self) -> tuple[int, ...]:
        """As of `ModelConfig`."""
        return self.network.strides

    @property
    def logits_stride(self) -> int:
        """As of `ModelConfig`; labels are of every pixel."""
        return self.network.logits_stride if self.output == "logits" else 1

    @property
    def align_corners(self) -> bool:
        """As of `ModelConfig`; labels are enlarged already."""
        return self.output == "logits" and aligns_corners(self.network)

    def check(self) -> None:
        """Refuse to be built.

        Raises:
            SegNextError: that says what can be.
        """
        raise SegNextError(f"{self.file}: an exported network, run by its runtime; give the weights that it is from")


NetworkConfig = BuildableConfig | ExportedConfig

SEGNEXT: dict[str, ModelConfig] = {
    "segnext_t": ModelConfig((32, 64, 160, 256), (3, 3, 5, 2), decoder_channels=256, rank=16),
    "segnext_s": ModelConfig((64, 128, 320, 512), (2, 2, 4, 2), decoder_channels=256, rank=16),
    "segnext_b": ModelConfig((64, 128, 320, 512), (3, 3, 12, 3), decoder_channels=512, rank=64),
    "segnext_l": ModelConfig((64, 128, 320, 512), (3, 5, 27, 3), decoder_channels=1024, rank=64, drop_path=0.3),
}


_WIDE, _HEADS = (64, 128, 320, 512), (1, 2, 5, 8)
SEGFORMER: dict[str, SegFormerConfig] = {
    "segformer_b0": SegFormerConfig((32, 64, 160, 256), (2, 2, 2, 2), _HEADS, 256),
    "segformer_b1": SegFormerConfig(_WIDE, (2, 2, 2, 2), _HEADS, 256),
    "segformer_b2": SegFormerConfig(_WIDE, (3, 4, 6, 3), _HEADS, 768),
    "segformer_b3": SegFormerConfig(_WIDE, (3, 4, 18, 3), _HEADS, 768),
    "segformer_b4": SegFormerConfig(_WIDE, (3, 8, 27, 3), _HEADS, 768),
    "segformer_b5": SegFormerConfig(_WIDE, (3, 6, 40, 3), _HEADS, 768),
}
PRESETS: dict[str, PublishedConfig] = {**SEGNEXT, **SEGFORMER, **COMPOSED}


def staged_presets() -> dict[str, StagedConfig]:
    """The presets of the families whose encoders are stages in a row."""
    return {name: known for name, known in PRESETS.items() if isinstance(known, StagedConfig)}


def preset(name: str, **changes: Any) -> BuildableConfig:
    """The configuration that `name` stands for, with changed fields.

    Args:
        name: one of `PRESETS`, "ENCODER+DECODER" (see `composed`), or "module:function" of the user's, who allows it
            by naming it.
        changes: new values of its fields.

    Raises:
        SegNextError: for an unknown name or field.
    """
    config = named(name)
    names = [field.name for field in fields(config)]
    for change in changes:
        if change not in names:
            raise SegNextError(f"{name} has no '{change}' to change; {meant(change, names)}")
    return replace(config, **changes)


def named(name: str) -> BuildableConfig:
    """The configuration that `name` stands for; see `preset`."""
    if name in PRESETS:
        return PRESETS[name]
    if "+" in name:
        return pair(name)
    if ":" in name:
        allow(name)
        return FunctionConfig(function=name)
    raise SegNextError(
        f"unknown model '{name}'; {meant(name, PRESETS)}; 'segnext info' lists them, and ENCODER+DECODER and "
        "module:function of yours are taken too"
    )


def aligns_corners(config: NetworkConfig) -> bool:
    """Whether a network's logits are enlarged with align_corners True."""
    return bool(getattr(config, "align_corners", False))


def corner_pixels(config: NetworkConfig) -> int:
    """What the kernels that enlarge logits call `corners`, see `kernels.enlarge.places`."""
    return config.logits_stride if aligns_corners(config) else 0


def inside(config: NetworkConfig) -> BuildableConfig:
    """The network; of an exported file, what was exported."""
    return config.network if isinstance(config, ExportedConfig) else config


def says_confidence(config: NetworkConfig) -> bool:
    """Whether more is given than labels."""
    return not isinstance(config, ExportedConfig) or config.output != "labels"


def require_scores(config: NetworkConfig, what: str) -> None:
    """Refuse a file that gives labels alone, where the scores of all classes are needed.

    Args:
        config: of a network, or of such a file.
        what: needs them, such as "windows".

    Raises:
        SegNextError: that says how to export one that gives them.
    """
    if isinstance(config, ExportedConfig) and config.output != "logits":
        raise SegNextError(
            f"{config.file}: gives labels, but {what} need the scores of all classes; export the weights again with "
            "--output logits"
        )


def _check_values(config: ModelConfig) -> None:
    """Refuse unknown names and impossible numbers."""
    for kind, choices in (("decoder", DECODERS), ("context", CONTEXTS)):
        require_choice(kind, getattr(config, kind), choices)
    if not config.stages or list(config.stages) != sorted({*config.stages} & {1, 2, 3, 4}):
        raise SegNextError(f"stages is {config.stages}; give some of 1, 2, 3, 4, in this order")
    sides = config.strips if config.square is None else (*config.strips, config.square)
    if any(side < 1 or side % 2 == 0 for side in sides):
        raise SegNextError(f"strips is {config.strips} and square {config.square}; lengths must be odd and positive")
    if config.refine < 0 or config.refine % 32:
        raise SegNextError(f"refine is {config.refine}; it must be a multiple of 32, or 0 to leave it out")
    if config.inverse_temperature <= 0:
        raise SegNextError(f"inverse_temperature is {config.inverse_temperature}; it must be positive, such as 10")


def ablations(config: Architecture | NetworkConfig) -> list[str]:
    """The fields in which `config` leaves the published architecture, of whatever size."""
    if not isinstance(config, Architecture):
        return []
    return [part.name for part in fields(Architecture) if getattr(config, part.name) != part.default]


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
        ham_alone = ("stages", "context", "one_step_gradient", "inverse_temperature", "refine")
        idle |= dict.fromkeys(ham_alone, f"decoder '{config.decoder}'")
    for name in ablations(config):
        if name in idle:
            raise SegNextError(f"{name} has no effect beside {idle[name]}; leave it out")
