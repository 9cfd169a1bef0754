"""Networks of others, small, with weights that anyone can draw again: what the golden values are of."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from segnext.model.decoders.aspp import ASPPDecoder
from segnext.model.decoders.danet import DANetDecoder
from segnext.model.decoders.deeplabv3plus import DeepLabV3PlusDecoder
from segnext.model.decoders.fcn import FCNDecoder, StackedDecoder
from segnext.model.decoders.ocr import OCRDecoder
from segnext.model.decoders.psp import PSPDecoder
from segnext.model.decoders.setr import SETRMLADecoder, SETRUpDecoder
from segnext.model.decoders.upernet import UPerNetDecoder
from segnext.model.encoders.hrformer import hrformer
from segnext.model.encoders.hrnet import hrnet
from segnext.model.encoders.mobilenet_v2 import MobileNetV2
from segnext.model.encoders.resnet import BasicBlock, Bottleneck, ResNet
from segnext.model.encoders.vit import ViT
from segnext.model.layers import plain_conv_bn

FloatArray = npt.NDArray[np.float32]
WIDTHS = (16, 32, 48, 64)
CLASSES = 5


class Chain(nn.Module):
    """Encoder and decoder, as `SegNeXt`, without the last enlargement."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, image: Tensor) -> Tensor:
        return self.decoder(self.encoder(image))  # type: ignore[no-any-return]


def head(make: Callable[..., nn.Module], **settings: object) -> Callable[[], nn.Module]:
    return lambda: make(encoder_channels=WIDTHS, num_classes=CLASSES, channels=32, **settings)


def chain(encoder: Callable[[], nn.Module], decoder: Callable[..., nn.Module]) -> Callable[[], nn.Module]:
    return lambda: Chain(encoder(), decoder(encoder_channels=WIDTHS, num_classes=CLASSES))


small_hrnet = partial(hrnet, widths=WIDTHS, units=(1, 2, 1), blocks=1, stem=(16, 1))
small_hrformer = partial(hrformer, widths=WIDTHS, heads=(1, 2, 4, 8), units=(1, 2, 1))
original = {"unit": plain_conv_bn}
ENCODERS: dict[str, Callable[[], nn.Module]] = {  # and chains: what takes an image
    "resnet-18": partial(ResNet, block=BasicBlock, depths=(2, 2, 2, 2)),
    "resnet-50 d8": partial(ResNet, block=Bottleneck, depths=(2, 2, 3, 2), output_stride=8),
    "mobilenet-v2": MobileNetV2,
    "hrnet": chain(small_hrnet, StackedDecoder),
    "hrformer": small_hrformer,
    "vit": partial(ViT, width=32, depth=4, heads=2, grid=4),
}
DECODERS: dict[str, Callable[[], nn.Module]] = {
    "fcn": head(FCNDecoder),
    "fcn of torchvision": head(FCNDecoder, convs=1),
    "psp": head(PSPDecoder, **original),
    "deeplabv3": head(ASPPDecoder, rates=(2, 4, 6), refine=True, **original),
    "deeplabv3plus": head(DeepLabV3PlusDecoder, early_channels=12, rates=(2, 4, 6)),
    "danet": head(DANetDecoder, **original),
    "ocr": head(OCRDecoder, keys=16),
    "upernet": head(UPerNetDecoder),
    "setr pup": head(SETRUpDecoder, steps=4),
    "setr mla": head(SETRMLADecoder),
}
SQUARE = {"setr mla", "vit"}  # their originals take squares alone


def drawn(name: str, shape: Sequence[int], spread: float = 1.0) -> Tensor:
    """Normal numbers that depend on the name alone."""
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape))
    return torch.from_numpy((spread * values).astype(np.float32))


def weights(module: nn.Module) -> dict[str, Tensor]:
    """Weights for a module: normal with variance 2 / fan-in, norms around one."""
    state = {}
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            state[name] = tensor
        elif tensor.ndim > 1:
            state[name] = drawn(name, tensor.shape, (2 * tensor.shape[0] / tensor.numel()) ** 0.5)
        else:
            around_one = name.endswith(("running_var", "weight"))
            state[name] = (
                drawn(name, tensor.shape, 0.1).abs().add(0.5) if around_one else drawn(name, tensor.shape, 0.1)
            )
    return state


def inputs(case: str) -> Tensor | list[Tensor]:
    """An image of odd sides, or four maps, those of a network at 1/8."""
    if case in ENCODERS:
        return drawn("image", (1, 3, 64, 64) if case in SQUARE else (1, 3, 75, 101))
    sizes = [(7, 7)] * 4 if case.startswith("setr") else [(17, 23), (9, 12), (9, 12), (9, 12)]
    return [drawn(f"map {width}", (1, width, *size)) for width, size in zip(WIDTHS, sizes, strict=True)]


def outputs(network: Callable[[Any], Any], case: str) -> dict[str, FloatArray]:
    """What the network makes of the case's inputs: a part of every map."""
    with torch.no_grad():
        found = network(inputs(case))
    maps = [found] if isinstance(found, Tensor) else found
    return {f"{case} {index}": x[0, ::7, ::2, ::2].numpy() for index, x in enumerate(maps)}


def ours(case: str) -> nn.Module:
    module = ({**ENCODERS, **DECODERS})[case]()
    module.load_state_dict(weights(module))
    return module.eval()


def renamed(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Every `old` at a name's parts replaced by its `new`."""
    result = {}
    for name, tensor in state.items():
        for old, new in names.items():
            name = name.replace(old, new)
        result[name] = tensor
    return result
