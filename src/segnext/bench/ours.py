"""An engine with what `segnext predict` puts around it."""

from functools import partial
from pathlib import Path
from typing import cast

from segnext.bench.stages import Covered, Mask, Pipeline, Size
from segnext.checkpoint.weights import load_weights
from segnext.inference.engines.engine import Batch
from segnext.inference.prepare import prepare, resized
from segnext.inference.runtime import EngineName, PrecisionName, Runtime
from segnext.inference.segmenter import Segmenter
from segnext.kernels.average import Look
from segnext.kernels.decide import decide
from segnext.kernels.enlarge import Logits
from segnext.model.config import corner_pixels
from segnext.preprocess import Image, Preprocess, padding


def ours(file: Path, engine: str, precision: str) -> Pipeline:
    """The pipeline of a weights file."""
    segmenter = Segmenter(load_weights(file), Runtime(cast(EngineName, engine), "cpu", cast(PrecisionName, precision)))
    stride, labels = segmenter.config.strides[-1], partial(our_labels, corners=corner_pixels(segmenter.config))
    return Pipeline(lambda image: network_input(image, segmenter.preprocess, stride), segmenter.engine, labels)


def network_input(image: Image, preprocess: Preprocess, stride: int) -> tuple[Batch, Covered]:
    """The whole picture at scale 1, as `inference.look` prepares it, and what of the picture the input covers."""
    height, width = image.shape[:2]
    size = preprocess.size(height, width)
    bottom, right = padding(*size, stride)
    padded = size[0] + bottom, size[1] + right
    covered = height * padded[0] / size[0], width * padded[1] / size[1]
    return prepare(resized(image, size), preprocess, padded), covered


def our_labels(logits: Logits, covered: Covered, size: Size, corners: int = 0) -> Mask:
    """Labels in one pass; see `kernels.decide`."""
    labels, _ = decide([Look(logits[0], covered, corners=corners)], size)
    return labels
