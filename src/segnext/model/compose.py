"""Any encoder under any decoder, built from the configuration that names them."""

from collections.abc import Callable
from functools import partial

from torch import nn

from segnext.model.composed import ComposedConfig
from segnext.model.config import SEGFORMER, SEGNEXT
from segnext.model.decoders.aspp import ASPPDecoder
from segnext.model.decoders.danet import DANetDecoder
from segnext.model.decoders.deeplabv3plus import RATES, DeepLabV3PlusDecoder
from segnext.model.decoders.fcn import FCN8sDecoder, FCNDecoder, StackedDecoder
from segnext.model.decoders.ham import HamDecoder
from segnext.model.decoders.mlp import MLPDecoder
from segnext.model.decoders.ocr import OCRDecoder
from segnext.model.decoders.psp import PSPDecoder
from segnext.model.decoders.setr import SETRMLADecoder, SETRUpDecoder
from segnext.model.decoders.upernet import UPerNetDecoder
from segnext.model.encoders import Encoder, MiT
from segnext.model.encoders.hrformer import hrformer
from segnext.model.encoders.hrnet import hrnet
from segnext.model.encoders.mobilenet_v2 import MobileNetV2
from segnext.model.encoders.mscan import MSCAN
from segnext.model.encoders.resnet import BasicBlock, Bottleneck, ResNet
from segnext.model.encoders.vit import ViT
from segnext.model.hamburger import NMF, Hamburger
from segnext.model.layers import plain_conv_bn
from segnext.model.network import Network

RANK = 64  # of the Hamburger
# Encoders by name; those that drop paths are called with drop_path too.
CONVOLUTIONAL: dict[str, Callable[..., Encoder]] = {
    "resnet18": partial(ResNet, block=BasicBlock, depths=(2, 2, 2, 2)),
    "resnet34": partial(ResNet, block=BasicBlock, depths=(3, 4, 6, 3)),
    "resnet50": partial(ResNet, block=Bottleneck, depths=(3, 4, 6, 3)),
    "resnet101": partial(ResNet, block=Bottleneck, depths=(3, 4, 23, 3)),
    "mobilenet_v2": MobileNetV2,
    "hrnet_w18_small": partial(hrnet, widths=(16, 32, 64, 128), units=(1, 1, 1), blocks=2, stem=(32, 1)),
    "hrnet_w18_small_v2": partial(hrnet, widths=(18, 36, 72, 144), units=(1, 3, 2), blocks=2, stem=(64, 2)),
    "hrnet_w18": partial(hrnet, widths=(18, 36, 72, 144)),
    "hrnet_w48": partial(hrnet, widths=(48, 96, 192, 384)),
}
CONVOLUTIONAL |= {
    f"{name}_d8": partial(part, output_stride=8)
    for name, part in CONVOLUTIONAL.items()
    if name.startswith(("resnet", "mobilenet"))
}
_hrformer_b = partial(hrformer, widths=(78, 156, 312, 624), heads=(2, 4, 8, 16))
DROPPING: dict[str, Callable[..., Encoder]] = {
    "hrformer_s": partial(hrformer, widths=(32, 64, 128, 256), heads=(1, 2, 4, 8)),
    "hrformer_b": _hrformer_b,
    "hrformer_b_w13": partial(_hrformer_b, window=13),
    "hrformer_b_w15": partial(_hrformer_b, window=15),
    "vit_b": partial(ViT, width=768, depth=12, heads=12),
    "vit_l": partial(ViT, width=1024, depth=24, heads=16),
}
DROPPING |= {
    f"mscan_{name[-1]}": partial(MSCAN, channels=shape.channels, depths=shape.depths, expansions=shape.expansions)
    for name, shape in SEGNEXT.items()
}
DROPPING |= {
    name.replace("segformer", "mit"): partial(
        MiT,
        channels=shape.channels,
        depths=shape.depths,
        heads=shape.heads,
        reductions=shape.reductions,
        expansions=shape.expansions,
    )
    for name, shape in SEGFORMER.items()
}


def _ham(*, channels: int, **rest: object) -> nn.Module:
    return HamDecoder(channels=channels, context=Hamburger(channels, NMF(channels, RANK)), **rest)  # type: ignore[arg-type]


DECODERS: dict[str, Callable[..., nn.Module]] = {
    "aspp": partial(ASPPDecoder, rates=RATES, unit=plain_conv_bn, refine=True),
    "danet": partial(DANetDecoder, unit=plain_conv_bn),
    "deeplabv3plus": DeepLabV3PlusDecoder,
    "fcn": FCNDecoder,
    "fcn1": partial(FCNDecoder, convs=1),
    "fcn8s": FCN8sDecoder,
    "ham": _ham,
    "mlp": MLPDecoder,
    "ocr": OCRDecoder,
    "ocr3": partial(OCRDecoder, coarse_kernel=3),
    "psp": partial(PSPDecoder, unit=plain_conv_bn),
    "setr_mla": SETRMLADecoder,
    "setr_naive": SETRUpDecoder,
    "setr_pup": partial(SETRUpDecoder, steps=4),
    "stacked": StackedDecoder,
    "upernet": UPerNetDecoder,
}


def compose_encoder(config: ComposedConfig) -> Encoder:
    """The encoder that `config` names, with random weights."""
    if config.encoder in DROPPING:
        return DROPPING[config.encoder](in_channels=config.in_channels, drop_path=config.drop_path)
    return CONVOLUTIONAL[config.encoder](in_channels=config.in_channels)


def compose(config: ComposedConfig) -> Network:
    """The network that `config` describes, with random weights."""
    encoder = compose_encoder(config)
    width = {"channels": config.decoder_channels} if config.decoder != "stacked" else {}
    decoder = DECODERS[config.decoder](
        encoder_channels=encoder.channels, num_classes=config.num_classes, dropout=config.dropout, **width
    )
    return Network(encoder, decoder, config)
