"""An engine with what `segnext predict` puts around it."""

from pathlib import Path
from typing import cast

from segnext.bench.stages import Covered, Mask, Pipeline, Size
from segnext.checkpoint.weights import load_weights
from segnext.inference.engines.engine import Batch, Logits
from segnext.inference.prepare import prepare, resized
from segnext.inference.runtime import EngineName, PrecisionName
from segnext.inference.segmenter import Segmenter
from segnext.kernels.classify import classify
from segnext.preprocess import Image, Preprocess, padding


def ours(file: Path, engine: str, precision: str) -> Pipeline:
    """The pipeline of a weights file."""
    segmenter = Segmenter(
        load_weights(file), "cpu", engine=cast(EngineName, engine), precision=cast(PrecisionName, precision)
    )
    stride = segmenter.config.strides[-1]
    return Pipeline(lambda image: network_input(image, segmenter.preprocess, stride), segmenter.engine, our_labels)


def network_input(image: Image, preprocess: Preprocess, stride: int) -> tuple[Batch, Covered]:
    """The whole picture at scale 1, as `inference.look` prepares it, and what of the picture the input covers."""
    height, width = image.shape[:2]
    size = preprocess.size(height, width)
    bottom, right = padding(*size, stride)
    padded = size[0] + bottom, size[1] + right
    covered = height * padded[0] / size[0], width * padded[1] / size[1]
    return prepare(resized(image, size), preprocess, padded), covered


def our_labels(logits: Logits, covered: Covered, size: Size) -> Mask:
    """Labels in one pass; see `kernels.classify`."""
    labels, _ = classify(logits, covered, size)
    return labels
