"""SegFormer (Xie et al., 2021) of the package `transformers`, with random weights, on the same pictures.

It runs as the package has it (eager, float32), and through OpenVINO with the settings of our engine, for one fixed
size, which can only help it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segnext.bench.ours import network_input, our_labels
from segnext.bench.stages import Covered, Mask, Pipeline, Size
from segnext.imageio import read_image
from segnext.preprocess import Preprocess
from segnext.silence import silenced

if TYPE_CHECKING:  # the network in OpenVINO with our labels needs neither package
    from torch import nn

STRIDE = 32  # of the last stage
WIDTHS = {"segformer_b0": [32, 64, 160, 256], "segformer_b1": [64, 128, 320, 512]}  # table 6 of the paper


def plain_peer(name: str, classes: int) -> Pipeline:
    """The package's own way."""
    import torch

    from segnext.bench.plain import to_nchw

    model = peer_model(name, classes)

    def preprocess(image: Any) -> tuple[Any, Covered]:
        x, covered = network_input(image, Preprocess(), STRIDE)
        return to_nchw(x), covered

    return Pipeline(preprocess, torch.inference_mode()(lambda x: model(x).logits), _own_labels())


def openvino_peer(name: str, classes: int, precision: str, picture: Path, folder: Path, *, own: bool) -> Pipeline:
    """The network in OpenVINO, compiled for the size of `picture`.

    Args:
        name: of `WIDTHS`.
        classes: how many it tells apart.
        precision: fp32 or bf16.
        picture: whose size is meant.
        folder: for the converted network.
        own: whether the labels come from the package's post-processing or from our kernel.
    """
    from segnext.inference.engines.openvino_engine import compiled

    file = folder / f"{name}.{'own' if own else 'ours'}.xml"
    if not file.exists():
        x, _ = network_input(read_image(picture), Preprocess(), STRIDE)
        _export(peer_model(name, classes), x.shape, file, last=not own)
    request = compiled(file, precision).create_infer_request()

    def network(x: Any) -> Any:
        logits = request.infer([x], share_inputs=True)[0]
        return logits if own else logits[0]

    return Pipeline(
        lambda image: network_input(image, Preprocess(), STRIDE), network, _own_labels() if own else our_labels
    )


def peer_model(name: str, classes: int) -> "nn.Module":
    """SegFormer as on ADE20K, which differs from the package's defaults in the number of classes alone (B0)."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.SegformerConfig(hidden_sizes=WIDTHS[name], num_labels=classes)
    model: nn.Module = transformers.SegformerForSemanticSegmentation(config).eval()
    return model


def _own_labels() -> Any:
    """The package's post-processing."""
    import torch
    import transformers
    from transformers.modeling_outputs import SemanticSegmenterOutput

    from segnext.bench.plain import whole_pixels

    # Without torchvision, newer versions have a class of another name for the same.
    kind = getattr(transformers, "SegformerImageProcessorPil", None) or transformers.SegformerImageProcessor
    processor = kind()

    def labels(logits: Any, covered: Covered, size: Size) -> Mask:
        outputs = SemanticSegmenterOutput(logits=torch.as_tensor(logits))
        (found,) = processor.post_process_semantic_segmentation(outputs, target_sizes=[whole_pixels(covered)])
        return np.asarray(found.numpy()[: size[0], : size[1]], np.uint8)

    return labels


def _export(model: "nn.Module", shape: tuple[int, ...], file: Path, *, last: bool) -> None:
    """As OpenVINO's files, for pictures of `shape` (1, H, W, 3); logits (1, classes, h, w), or classes `last`."""
    import openvino
    import torch
    from torch import nn

    class ChannelsLast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(x.permute(0, 3, 1, 2)).logits
            return logits.permute(0, 2, 3, 1) if last else logits

    with torch.no_grad(), silenced:  # the converter uses what is deprecated
        network = openvino.convert_model(ChannelsLast(), example_input=torch.zeros(shape), input=list(shape))
    openvino.save_model(network, file, compress_to_fp16=False)
