"""What is timed: the five stages from a picture's file to the mask's file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.imageio import read_image
from segnext.inference.result import Result
from segnext.labels import Labels
from segnext.preprocess import Image

STAGES = ("read", "preprocess", "network", "labels", "save")
Size = tuple[int, int]  # height, width
Covered = tuple[float, float]  # height and width in the picture that the network's input covers
Mask = NDArray[np.uint8]  # (H, W)


@dataclass(frozen=True)
class Pipeline:
    """The three stages in which ways differ.

    Attributes:
        preprocess: picture -> the network's input, and the height and width in the picture that it covers.
        network: the input -> logits, in whatever form `labels` takes.
        labels: logits, what they cover, the picture's size -> labels of all pixels.
    """

    preprocess: Callable[[Image], tuple[Any, Covered]]
    network: Callable[[Any], Any]
    labels: Callable[[Any, Covered, Size], Mask]


class Stages:
    """A pipeline with reading and saving around it, which are the same for all.

    Args:
        pipeline: the stages between.
        picture: the file that is read.
        labels: names and colours for the saved mask and overlay.
        out: folder of the saved files.
    """

    def __init__(self, pipeline: Pipeline, picture: Path, labels: Labels, out: Path) -> None:
        self.pipeline = pipeline
        self.picture = picture
        self.names = labels
        self.out = out
        self._mask: Mask | None = None

    def round(self) -> dict[str, float]:
        """Go from file to file once; the seconds of each stage."""
        times = [perf_counter()]
        image = read_image(self.picture)
        times.append(perf_counter())
        x, covered = self.pipeline.preprocess(image)
        times.append(perf_counter())
        logits = self.pipeline.network(x)
        times.append(perf_counter())
        self._mask = self.pipeline.labels(logits, covered, image.shape[:2])
        times.append(perf_counter())
        Result(image, self._mask, _no_confidence, self.names, 0.0).save(self.out)
        times.append(perf_counter())
        return {stage: end - start for stage, start, end in zip(STAGES, times, times[1:], strict=False)}

    def mask(self) -> Mask:
        """The labels of the latest round."""
        assert self._mask is not None, "there was no round yet"
        return self._mask


def _no_confidence() -> NDArray[np.float32]:
    raise AssertionError("saving a mask and an overlay asks for no confidence")
