"""A predictor and labelled pictures in, metrics out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.evaluation.metrics import Metrics, confusion_matrix
from segnext.labels import Labels
from segnext.preprocess import Image

Predict = Callable[[Path | Image], NDArray[np.uint8]]  # image file, or H x W x 3 -> H x W labels


def evaluate(
    predict: Predict,
    pairs: Sequence[Pair],
    labels: Labels,
    progress: Callable[[int], None] = lambda done: None,
) -> Metrics:
    """Predict every picture and compare it with its mask; one picture is in memory at a time.

    Args:
        predict: gives the labels (H x W, at the mask's size) of an image file, or of the pixels of a part of one.
        pairs: pictures and their masks.
        labels: meaning of the labels, the same for masks and predictions.
        progress: called after each picture with the number done so far.

    Raises:
        SegNextError: when there is no picture, or a prediction and its mask differ in size.
    """
    if not pairs:
        raise SegNextError("there are no pictures to evaluate; choose a split that has some")
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for done, part in enumerate(confusions(predict, pairs, labels), 1):
        confusion += part
        progress(done)
    return Metrics(confusion, labels.classes, len(pairs))


def confusions(predict: Predict, pairs: Iterable[Pair], labels: Labels) -> Iterator[NDArray[np.int64]]:
    """The confusion matrix (C, C) of each picture, in order, rows are truth; they add up to that of all.

    Raises:
        SegNextError: when a prediction and its mask differ in size.
    """
    for pair in pairs:
        truth = pair.read_mask(labels)
        prediction = predict(source_of(pair))
        _require_same_size(prediction, truth, pair)
        yield confusion_matrix(truth, prediction, len(labels), labels.ignore)


def source_of(pair: Pair) -> Path | Image:
    """What is predicted: the picture's file, or the pixels of the part that is meant."""
    return pair.image if pair.window is None else pair.read_image()


def require_same_classes(weights: Labels, data: Labels, *, weights_name: str, data_name: str) -> None:
    """Refuse to measure weights on a data set whose labels mean something else.

    Raises:
        SegNextError: naming the first label whose class differs, or the numbers of classes.
    """
    for label, (ours, theirs) in enumerate(zip(weights.classes, data.classes, strict=False)):
        if ours != theirs:
            raise SegNextError(
                f"{data_name}: label {label} is '{theirs}', but '{ours}' for the weights {weights_name}; "
                "classes must have the same names in the same order, so choose weights trained on them"
            )
    if len(weights) != len(data):
        raise SegNextError(
            f"{data_name}: has {len(data)} classes, but the weights {weights_name} know {len(weights)}; "
            "choose weights trained on the same classes"
        )


def _require_same_size(prediction: NDArray[np.uint8], truth: NDArray[np.uint8], pair: Pair) -> None:
    if prediction.shape != truth.shape:
        height, width = prediction.shape
        true_height, true_width = truth.shape
        raise SegNextError(
            f"{pair.mask}: the mask is {true_width} x {true_height} pixels, but its picture {pair.image} is "
            f"{width} x {height}; make both the same size"
        )
