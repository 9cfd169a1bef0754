"""Exported files as engines: whatever a file takes and gives, normalised pictures go in and logits come out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.inference.engines.engine import Array, Batch, PerProcess
from segnext.model.config import ExportedConfig
from segnext.preprocess import Preprocess, padding

SURE = 1e-6  # a label's probability is at least so much below 1, so that the others' have logarithms


class ExportedEngine:
    """The network in an exported file; see `Engine`.

    Of a file that gives labels the "logits" are of every pixel: 1 for the label, 0 for the others. Where it gives their
    probabilities too they are logarithms, and the other classes share evenly what a label's leaves.

    Args:
        inner: runs the file.
        config: what the file takes and gives.
        preprocess: of its pictures.
    """

    def __init__(self, inner: PerProcess, config: ExportedConfig, preprocess: Preprocess) -> None:
        self.inner, self.config, self.preprocess = inner, config, preprocess
        self.name, self.device, self.streams = inner.name, inner.device, inner.streams
        held = "" if config.precision == "fp32" else f"{config.precision} in "
        self.precision = f"{held}{inner.precision}"  # of the file, in that of what its runtime chooses

    def __call__(self, x: Batch) -> Array:
        """See `Engine`.

        Raises:
            SegNextError: when the file does not give what it says.
        """
        taken = np.ascontiguousarray(x if self.config.input == "float" else self._pictures(x))
        given = self.inner.outputs(taken)
        if self.config.output == "logits":
            step = self.config.logits_stride
            wanted = (len(x), x.shape[1] // step, x.shape[2] // step, self.config.num_classes)
            return np.asarray(self._require(given, wanted)[0], np.float32)
        given = self._require(given, taken.shape[:3])
        return self._scores([_filled_up(output, x.shape) for output in given])

    def together(self, height: int, width: int, most: int) -> int:
        """See `Engine`."""
        return self.inner.together(height, width, most)

    def _pictures(self, x: Batch) -> NDArray[Any]:
        """Pictures as they were before they were normalised, and filled up: the file does both itself."""
        preprocess = self.preprocess
        pictures = x * np.array(preprocess.std, np.float32) + np.array(preprocess.mean, np.float32)
        if preprocess.bands is not None:
            return pictures
        height, width = (_without_filling(x, axis, self.config.strides[-1]) for axis in (1, 2))
        whole: NDArray[np.uint8] = pictures[:, :height, :width].round().clip(0, 255).astype(np.uint8)
        return whole

    def _scores(self, given: Sequence[NDArray[Any]]) -> Array:
        """Logits (N, H, W, classes) of labels, and of their probabilities if there are any."""
        labels, classes = given[0], self.config.num_classes
        if labels.max(initial=0) >= classes:
            raise self._wrong()
        chosen: NDArray[np.bool_] = labels[..., None] == np.arange(classes)
        if self.config.output == "labels":
            return chosen.astype(np.float32)
        probability = given[1][..., None].clip(SURE, 1 - SURE).astype(np.float32)
        scores: Array = np.where(chosen, np.log(probability), np.log((1 - probability) / max(classes - 1, 1)))
        return scores

    def _require(self, given: Sequence[Any], shape: tuple[int, ...]) -> Sequence[NDArray[Any]]:
        """Refuse outputs of another number or shape."""
        if len(given) != 1 + (self.config.output == "confidence") or any(one.shape != shape for one in given):
            raise self._wrong()
        return given

    def _wrong(self) -> SegNextError:
        return SegNextError(
            f"{self.config.file}: its network does not give what the file says, {self.config.output} of "
            f"{self.config.num_classes} classes; export the weights again"
        )


def _without_filling(x: Batch, axis: int, stride: int) -> int:
    """Length along an axis without the zeros at its end, if the file fills it up to the same length again."""
    length = x.shape[axis]
    used = np.flatnonzero(x.any(axis=tuple({0, 1, 2, 3} - {axis})))
    kept = int(used[-1]) + 1 if len(used) else length
    return kept if kept + padding(kept, kept, stride)[0] == length else length


def _filled_up(output: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """(N, H, W) continued below and on the right."""
    missing = [(0, side - have) for side, have in zip(shape[1:3], output.shape[1:], strict=True)]
    return np.pad(output, [(0, 0), *missing], mode="edge")
