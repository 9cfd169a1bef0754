"""The released code's way, which all others are compared with.

Unfolded network, eager, float32, contiguous NCHW tensors, memory given back to the system at every call; logits
resized to the picture, softmax, argmax.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.bench.ours import network_input
from segnext.bench.stages import Covered, Mask, Pipeline, Size
from segnext.checkpoint.weights import load_weights
from segnext.model.config import aligns_corners
from segnext.preprocess import Image


def plain(file: Path) -> Pipeline:
    """The pipeline of a weights file."""
    weights = load_weights(file)
    model = weights.model()

    def preprocess(image: Image) -> tuple[Tensor, Covered]:
        x, covered = network_input(image, weights.preprocess, weights.config.strides[-1])
        return to_nchw(x), covered

    network = torch.inference_mode()(lambda x: model.decoder(model.encoder(x)))
    return Pipeline(preprocess, network, partial(_labels, align_corners=aligns_corners(weights.config)))


def to_nchw(x: Any) -> Tensor:
    """(1, H, W, bands) array -> (1, bands, H, W), contiguous."""
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def whole_pixels(covered: Covered) -> Size:
    """Rounded: torch resizes to whole pixels."""
    return round(covered[0]), round(covered[1])


@torch.inference_mode()
def _labels(logits: Tensor, covered: Covered, size: Size, *, align_corners: bool) -> Mask:
    logits = F.interpolate(logits, size=whole_pixels(covered), mode="bilinear", align_corners=align_corners)
    labels = logits[:, :, : size[0], : size[1]].softmax(dim=1).argmax(dim=1)
    return np.asarray(labels[0].numpy(), np.uint8)
