"""An engine with what `segnext predict` puts around it."""

from pathlib import Path

from segnext.benchmark.stages import Mask, Pipeline, Size
from segnext.checkpoint.header import WeightsFile
from segnext.inference.engines.engine import Logits
from segnext.inference.prepare import prepare
from segnext.inference.segmenter import Segmenter
from segnext.kernels.classify import classify


def ours(file: Path, engine: str, precision: str) -> Pipeline:
    """The pipeline of a weights file."""
    segmenter = Segmenter(WeightsFile(file), "cpu", engine=engine, precision=precision)
    return Pipeline(lambda image: prepare(image, segmenter.preprocess), segmenter.engine, our_labels)


def our_labels(logits: Logits, covered: Size, size: Size) -> Mask:
    """Labels in one pass; see `kernels.classify`."""
    labels, _ = classify(logits, covered, size)
    return labels
