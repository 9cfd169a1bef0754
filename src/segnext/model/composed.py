"""Any encoder under any decoder: what such a network's shape depends on, and the published pairs; plain data."""

from dataclasses import dataclass
from typing import Any, ClassVar

from segnext.choices import require_choice
from segnext.errors import SegNextError

# What each decoder works with, unless a preset says otherwise: its width, and classes' dropout as its paper has it.
DECODER_CHANNELS = {
    "aspp": 256,
    "danet": 512,
    "deeplabv3plus": 512,
    "fcn": 512,
    "fcn1": 512,
    "fcn8s": 512,
    "ham": 256,
    "mlp": 256,
    "ocr": 512,
    "ocr3": 512,
    "psp": 512,
    "setr_mla": 256,
    "setr_naive": 256,
    "setr_pup": 256,
    "stacked": 0,
    "upernet": 512,
}
AT_FIRST = ("deeplabv3plus", "mlp", "ocr", "ocr3", "stacked", "upernet")  # decoders that work at the first map's size
ENCODERS = (
    *(f"resnet{depth}{dilated}" for depth in (18, 34, 50, 101) for dilated in ("", "_d8")),
    *("mobilenet_v2", "mobilenet_v2_d8"),
    *("hrnet_w18_small", "hrnet_w18_small_v2", "hrnet_w18", "hrnet_w48"),
    *("hrformer_s", "hrformer_b", "hrformer_b_w13", "hrformer_b_w15"),
    *("vit_b", "vit_l"),
    *("mscan_t", "mscan_s", "mscan_b", "mscan_l"),
    *(f"mit_b{size}" for size in range(6)),
)


@dataclass(frozen=True, kw_only=True)
class ComposedConfig:
    """Everything that determines the network's shape; stored with the weights.

    Attributes:
        encoder: one of `ENCODERS`; `_d8` has dilations in place of the strides beyond 8.
        decoder: one of `DECODER_CHANNELS`.
        decoder_channels: width of the decoder; 0 where it has none of its own.
        num_classes: channels of the logits.
        in_channels: bands of the image.
        drop_path: drop path probability of the last block, of encoders that have it.
        dropout: probability of dropping a channel before the classifier.
    """

    encoder: str
    decoder: str
    decoder_channels: int
    num_classes: int = 150
    in_channels: int = 3
    drop_path: float = 0.1
    dropout: float = 0.1

    decoders: ClassVar[tuple[str, ...]] = tuple(DECODER_CHANNELS)

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the image for a position of each stage's map; sides of the input are multiples of the last."""
        if self.encoder.startswith("vit"):
            return (16,) * 4
        return (4, 8, 8, 8) if self.encoder.endswith("_d8") else (4, 8, 16, 32)

    @property
    def logits_stride(self) -> int:
        """Pixels of the image for a position of the logits."""
        if self.decoder == "setr_pup":
            return self.strides[-1] // 8
        if self.decoder == "setr_mla":
            return self.strides[-1] // 4
        if self.decoder in ("fcn", "fcn1", "setr_naive"):
            return self.strides[-1]
        return self.strides[0] if self.decoder in AT_FIRST else self.strides[1]

    def check(self) -> None:
        """Refuse unknown names and impossible numbers.

        Raises:
            SegNextError: that says which field, and what to do.
        """
        check_names(self.encoder, self.decoder)
        if self.decoder != "stacked" and self.decoder_channels < 1:
            raise SegNextError(f"decoder_channels is {self.decoder_channels}; it must be at least 1")


def _pair(encoder: str, decoder: str, **changes: Any) -> ComposedConfig:
    return ComposedConfig(
        **{"encoder": encoder, "decoder": decoder, "decoder_channels": DECODER_CHANNELS[decoder], **changes}
    )


def _presets() -> dict[str, ComposedConfig]:
    """The published pairs. ResNets are at 1/8 but where a paper has pyramids of them; SETR has no dropout."""
    found = {}
    for depth in (50, 101):
        dilated = f"resnet{depth}_d8"
        for name, decoder in (
            ("fcn", "fcn"),
            ("pspnet", "psp"),
            ("deeplabv3", "aspp"),
            ("deeplabv3plus", "deeplabv3plus"),
            ("danet", "danet"),
        ):
            found[f"{name}_resnet{depth}"] = _pair(dilated, decoder)
        found[f"fcn8s_resnet{depth}"] = _pair(f"resnet{depth}", "fcn8s")
        found[f"upernet_resnet{depth}"] = _pair(f"resnet{depth}", "upernet")
    found["fcn8s_resnet18"] = _pair("resnet18", "fcn8s", decoder_channels=128)
    for name, decoder in (("fcn", "fcn"), ("pspnet", "psp"), ("deeplabv3plus", "deeplabv3plus")):
        found[f"{name}_mobilenet_v2"] = _pair("mobilenet_v2_d8", decoder)
    for name in ("hrnet_w18_small", "hrnet_w18_small_v2", "hrnet_w18", "hrnet_w48"):
        found[name] = _pair(name, "stacked", dropout=0.0)
    for name in ("hrnet_w18", "hrnet_w48"):
        found[f"ocrnet_{name}"] = _pair(name, "ocr", dropout=0.05)
    for name in ("hrformer_s", "hrformer_b", "hrformer_b_w13", "hrformer_b_w15"):
        found[name] = _pair(name, "ocr3", dropout=0.05, drop_path=0.2)
    for size in ("b", "l"):
        for head in ("naive", "pup", "mla"):
            found[f"setr_{head}_vit_{size}"] = _pair(f"vit_{size}", f"setr_{head}", dropout=0.0)
    return found


COMPOSED: dict[str, ComposedConfig] = _presets()


def pair(name: str) -> ComposedConfig:
    """The network "ENCODER+DECODER", such as "resnet50+ham".

    Raises:
        SegNextError: for unknown names.
    """
    encoder, _, decoder = name.partition("+")
    check_names(encoder, decoder)
    return _pair(encoder, decoder)


def check_names(encoder: str, decoder: str) -> None:
    """Refuse an encoder or decoder that there is not.

    Raises:
        SegNextError: that names those there are.
    """
    for kind, name, known in (("encoder", encoder, ENCODERS), ("decoder", decoder, tuple(DECODER_CHANNELS))):
        require_choice(kind, name, known)
