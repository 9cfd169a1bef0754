"""Parameters and multiply-adds of a network, part by part, and what the paper says of them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from segnext.model.ablations import GROUPS
from segnext.model.config import NetworkConfig, preset
from segnext.model.families import build
from segnext.model.network import Network
from segnext.model.unfilled import unfilled


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Attributes:
        name: "encoder stage 1" to "encoder stage 4", then the decoder's layers, such as "decoder squeeze".
        parameters: learned numbers.
        operations: multiply-adds for one image.
    """

    name: str
    parameters: int
    operations: int


def count(config: NetworkConfig, height: int, width: int) -> list[Part]:
    """The parts of the network, in the order of the computation; their sums are the whole.

    Multiply-adds are those of convolutions and matrix products in evaluation, the matrix products of the
    decomposition and of attention included; what works element by element (norms, activations, softmax,
    resizing, pooling) is not counted, as usual. Nothing is computed: the network runs on torch's "meta"
    device, which knows shapes alone.

    Args:
        config: the network.
        height: of the image, in pixels.
        width: of the image, in pixels.
    """
    with unfilled():
        model = build(config).eval()
    model.to("meta")  # the fixed bases, which numpy drew
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(torch.empty(1, config.in_channels, height, width, device="meta"))
    flops = {name: sum(by_operator.values()) for name, by_operator in counter.get_flop_counts().items()}
    parts = []
    paths = {module: path for path, module in model.named_modules(prefix=type(model).__name__)}
    for name, modules in _parts(model):
        parameters = sum(parameter.numel() for module in modules for parameter in module.parameters())
        called = [part for module in modules for part in _called(module)]
        operations = sum(flops.get(paths[part], 0) for part in called) // 2
        if parameters or operations:  # dropout has neither
            parts.append(Part(name, parameters, operations))
    return parts


def to_dict(parts: Sequence[Part], height: int, width: int) -> dict[str, Any]:
    """What `count` gave for an image of this size, with its sums, as JSON takes it."""
    return {
        "height": height,
        "width": width,
        "parameters": sum(part.parameters for part in parts),
        "multiply_adds": sum(part.operations for part in parts),
        "parts": [asdict(part) for part in parts],
    }


def _parts(model: Network) -> Iterator[tuple[str, list[nn.Module]]]:
    """Name and modules of each part."""
    for number, stage in enumerate(model.encoder.layers()):
        yield f"encoder stage {number + 1}", [module for layer in stage for module in layer]
    for path, layer in model.decoder.named_children():
        yield f"decoder {path}", [layer]


def _called(module: nn.Module) -> list[nn.Module]:
    """The modules under which the work is counted: a list of modules is never called, its members are."""
    if not isinstance(module, nn.ModuleList):
        return [module]
    return [part for member in module for part in _called(member)]


@dataclass(frozen=True)
class Published:
    """A line of the paper's tables.

    Attributes:
        title: what the line is about.
        config: the network.
        height: of the input.
        width: of the input.
        giga: multiply-adds, in 1e9; the paper calls them FLOPs.
        miou: in %, single scale.
        mega: parameters, in 1e6, where the table gives them.
    """

    title: str
    config: NetworkConfig
    height: int
    width: int
    giga: float
    miou: float
    mega: float | None = None


def published_models() -> list[Published]:
    """The four sizes on ADE20K (150 classes) and Cityscapes val (19 classes)."""
    ade20k = {"t": (6.6, 41.1, 4.3), "s": (15.9, 44.3, 13.9), "b": (34.9, 48.5, 27.6), "l": (70.0, 51.0, 48.9)}
    cityscapes = {"t": (50.5, 79.8), "s": (124.6, 81.3), "b": (275.7, 82.6), "l": (577.5, 83.2)}
    return [
        *(
            Published(f"{size.upper()}, ADE20K", preset(f"segnext_{size}"), 512, 512, *line)
            for size, line in ade20k.items()
        ),
        *(
            Published(f"{size.upper()}, Cityscapes", preset(f"segnext_{size}", num_classes=19), 1024, 2048, *line)
            for size, line in cityscapes.items()
        ),
    ]


def published_decoders() -> list[Published]:
    """The decoders compared on T and ADE20K; of (b), which CNN head it was the paper does not say."""
    return [
        Published(row.title, preset("segnext_t", **asdict(row.architecture)), 512, 512, row.giga, row.miou)
        for row in GROUPS["decoder"]
        if row.giga is not None and row.miou is not None
    ]
