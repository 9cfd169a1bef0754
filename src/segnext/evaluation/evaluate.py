"""A predictor and labelled pictures in, metrics out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.evaluation.metrics import Metrics, class_confusions, confusion_matrix
from segnext.labels import Labels
from segnext.preprocess import Bands, Image, Raster

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter

# An image file, or its pixels -> H x W labels, multi-label classes x H x W of 0 and 1; ignored where not measured.
Predict = Callable[[Path | Image | Raster], NDArray[np.uint8]]


def predictor(segmenter: "Segmenter") -> Predict:
    """What `evaluate` takes, of a segmenter; multi-label too with the ignore label where no band was measured."""

    def predict(source: Path | Image | Raster) -> NDArray[np.uint8]:
        if segmenter.preprocess.bands is None:
            return segmenter(source).mask
        raster = segmenter.read(source)
        mask = segmenter.segment(raster).mask
        return np.where(np.isnan(raster).all(2), np.uint8(segmenter.labels.ignore), mask)

    return predict


def evaluate(
    predict: Predict,
    pairs: Sequence[Pair],
    labels: Labels,
    progress: Callable[[int], None] = lambda done: None,
) -> Metrics:
    """Predict every picture and compare it with its mask; one picture is in memory at a time.

    Args:
        predict: gives the labels (at the mask's size) of an image file, or of the pixels of a part of one; the ignore
            label where nothing was measured, which then counts neither right nor wrong.
        pairs: pictures and their masks.
        labels: meaning of the labels, the same for masks and predictions.
        progress: called after each picture with the number done so far.

    Raises:
        SegNextError: when there is no picture, or a prediction and its mask differ in size.
    """
    if not pairs:
        raise SegNextError("there are no pictures to evaluate; choose a split that has some")
    total = no_counts(labels)
    for done, part in enumerate(confusions(predict, pairs, labels), 1):
        total += part
        progress(done)
    return Metrics(total, labels.classes, len(pairs))


def confusions(predict: Predict, pairs: Iterable[Pair], labels: Labels) -> Iterator[NDArray[np.int64]]:
    """The confusion matrix of each picture, in order; they add up to that of all.

    Raises:
        SegNextError: when a prediction and its mask differ in size.
    """
    for truth, prediction in compared(predict, pairs, labels):
        yield confusion(truth, prediction, labels)


def confusion(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], labels: Labels, *, others: bool = False
) -> NDArray[np.int64]:
    """(C, C), rows are truth; of multi-label masks (C, 2, 2), see `class_confusions`.

    With `others` predictions may be labels beyond the classes: (C, C + 1), of which the last column counts these.
    """
    if labels.multi_label:
        return class_confusions(truth, prediction, labels.ignore)
    if others:
        count = len(labels)
        return confusion_matrix(truth, np.minimum(prediction, count), count + 1, labels.ignore)[:count]
    return confusion_matrix(truth, prediction, len(labels), labels.ignore)


def compared(
    predict: Predict, pairs: Iterable[Pair], labels: Labels
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The truth and the prediction of each picture, in order; where nothing was measured the truth is ignored too.

    Raises:
        SegNextError: when a prediction and its mask differ in size.
    """
    for pair in pairs:
        truth = pair.read_mask(labels)
        prediction = predict(source_of(pair))
        _require_same_size(prediction, truth, pair)
        yield np.where(prediction == labels.ignore, prediction, truth), prediction


def source_of(pair: Pair) -> Path | Image | Raster:
    """What is predicted: the picture's file, or the pixels of the part that is meant."""
    return pair.image if pair.window is None else pair.read_image()


def no_counts(labels: Labels, *, others: bool = False) -> NDArray[np.int64]:
    """The confusion matrix, or matrices, of no picture; see `confusion`."""
    count = len(labels)
    return np.zeros((count, 2, 2) if labels.multi_label else (count, count + others), np.int64)


def require_same_classes(weights: Labels, data: Labels, *, weights_name: str, data_name: str) -> None:
    """Refuse to measure weights on a data set whose labels mean something else.

    Raises:
        SegNextError: naming the first label whose class differs, or the numbers of classes.
    """
    for label, (ours, theirs) in enumerate(zip(weights.classes, data.classes, strict=False)):
        if ours != theirs:
            raise SegNextError(
                f"{data_name}: label {label} is '{theirs}', but '{ours}' for the weights {weights_name}; "
                "classes must have the same names in the same order: choose weights trained on them with --weights, or "
                "say what the data's stand for with --label-map"
            )
    if weights.multi_label != data.multi_label:
        several, one = (weights_name, data_name) if weights.multi_label else (data_name, weights_name)
        raise SegNextError(
            f"{data_name}: {several} is multi-label, but {one} has one label per pixel; choose weights trained on "
            "masks of the same kind"
        )
    if len(weights) != len(data):
        raise SegNextError(
            f"{data_name}: has {len(data)} classes, but the weights {weights_name} know {len(weights)}; "
            "choose weights trained on the same classes, or say what the data's stand for with --label-map"
        )


def require_same_bands(weights: Bands | None, data: Bands | None, *, weights_name: str, data_name: str) -> None:
    """Refuse to measure weights on a data set whose files have other bands.

    Raises:
        SegNextError: naming both.
    """
    ours, theirs = (", ".join(bands.names) if bands else "none, 8-bit RGB pictures" for bands in (weights, data))
    if ours != theirs:
        raise SegNextError(
            f"{data_name}: names these bands: {theirs}; the weights {weights_name} know: {ours}; choose weights "
            "trained on the same, or mend 'bands' in dataset.yaml"
        )


def _require_same_size(prediction: NDArray[np.uint8], truth: NDArray[np.uint8], pair: Pair) -> None:
    if prediction.shape != truth.shape:
        height, width = prediction.shape[-2:]
        true_height, true_width = truth.shape[-2:]
        raise SegNextError(
            f"{pair.mask}: the mask is {true_width} x {true_height} pixels, but its picture {pair.image} is "
            f"{width} x {height}; make both the same size"
        )
