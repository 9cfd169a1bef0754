"""How well a network of many classes segments a data set with classes of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.data.folder import DataSet, Pair
from segnext.data.merged import Classes, read_map, recoded
from segnext.errors import SegNextError
from segnext.evaluation.evaluate import Predict, require_same_classes, source_of
from segnext.evaluation.metrics import confusion_matrix
from segnext.labels import Labels
from segnext.words import listed

Joint = NDArray[np.int64]  # (own classes, predicted classes) pixels


@dataclass(frozen=True)
class Translation:
    """From the labels that a network predicts to those of a data set; called with a mask, or several, it translates.

    Attributes:
        own: the data set's labels.
        table: (256,) of the data set's labels, by the predicted one.
        stands_for: what each of the data set's labels stands for.
        lacking: classes of the weights that none of the data set's labels stands for. They become a label beyond the
            classes, which is wrong wherever it is predicted.
    """

    own: Labels
    table: NDArray[np.uint8]
    stands_for: tuple[Classes, ...]
    lacking: tuple[str, ...] = ()

    def __call__(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Labels of the data set, in the mask's shape."""
        return self.table[mask]

    def predictor(self, predict: Predict) -> Predict:
        """`predict`, with labels of the data set."""
        return lambda source: self(predict(source))

    def pairs(self, pairs: Sequence[Pair]) -> list[Pair]:
        """With masks in which what stands for nothing is ignored."""
        codes = [label if classes else self.own.ignore for label, classes in enumerate(self.stands_for)]
        return recoded(pairs, self.own, codes, self.own.ignore)


def translation(file: Path, data: DataSet, weights: Labels, *, weights_name: str) -> Translation:
    """What a label map says of the classes of weights on a data set with other, or fewer, classes of its own.

    It is the map of a training on several data sets, or one that was made for measuring.

    Args:
        file: the label map; its classes are the weights'.
        data: the data set.
        weights: the classes that are predicted.
        weights_name: for error messages.

    Raises:
        SegNextError: when the map is none or does not fit, or a class of the weights is among two of the data set's, so
            that its pixels could not be counted once.
    """
    own = data.labels
    if own.multi_label or data.bands is not None:
        raise SegNextError(f"{file}: a label map is for pictures with one label per pixel; {data.path} holds others")
    whole, stands_for = read_map(file, data)
    require_same_classes(weights, whole, weights_name=weights_name, data_name=str(file))
    table, lacking = np.full(256, own.ignore, np.uint8), []
    beyond = max({*range(len(own), 256)} - {own.ignore}, default=own.ignore)  # with 255 classes there is no such label
    for label, name in enumerate(whole.classes):
        among = [number for number, classes in enumerate(stands_for) if label in classes]
        if len(among) > 1:
            both = listed(own.classes[number] for number in among)
            raise SegNextError(
                f"{file}: under '{own.name}', '{name}' of the weights is among {both}; "
                "to measure them, it must be among one: leave it in one of them"
            )
        if not among:
            lacking.append(name)
        table[label] = among[0] if among else beyond
    return Translation(own, table, stands_for, tuple(lacking))


def joint_counts(
    predict: Predict, pairs: Sequence[Pair], own: Labels, predicted: Labels, progress: Callable[[int], None]
) -> Joint:
    """Pixels by their label in the data set and by the one that is predicted."""
    size = max(len(own), len(predicted))
    total = np.zeros((size, size), np.int64)
    for done, pair in enumerate(pairs, 1):
        truth, mask = pair.read_mask(own), predict(source_of(pair))
        truth = np.where(mask == predicted.ignore, np.uint8(own.ignore), truth)  # nothing was measured there
        total += confusion_matrix(truth, mask, size, own.ignore)
        progress(done)
    return total[: len(own), : len(predicted)]


def own_metrics(joint: Joint, stands_for: Sequence[Classes], names: Sequence[str]) -> dict[str, Any]:
    """Ratios 0..1 of a data set by its own classes, as `Metrics` has them; None where undefined.

    A pixel is right when the predicted class is among those that its label stands for. Where it is wrong, it counts
    against the classes of the data set that the predicted one is among. Labels that stand for nothing do not count.

    Args:
        joint: what `joint_counts` gives.
        stands_for: what each of the data set's labels stands for.
        names: of its classes.
    """
    among = np.zeros(joint.shape, bool)
    for row, classes in zip(among, stands_for, strict=True):
        row[list(classes)] = True
    counted = joint * among.any(1, keepdims=True)
    hits, true = (counted * among).sum(1), counted.sum(1)
    claimed = (counted * ~among).sum(0) @ among.T  # wrong pixels, by the classes that they were taken for
    iou, accuracy = _ratio(hits, true + claimed), _ratio(hits, true)
    chosen = joint.sum(0) @ among.T  # pixels predicted as something that the label stands for
    shown = [number for number in range(len(names)) if stands_for[number]]
    return {
        "miou": _mean(iou),
        "pixel_accuracy": _json(hits.sum() / true.sum()) if true.any() else None,
        "mean_accuracy": _mean(accuracy),
        "iou": {names[number]: _json(iou[number]) for number in shown},
        "never_predicted": [names[number] for number in shown if true[number] and not chosen[number]],
    }


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratios: NDArray[np.float64] = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratios


def _mean(values: NDArray[np.float64]) -> float | None:
    return _json(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else None


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
