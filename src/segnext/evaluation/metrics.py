"""Confusion matrix and what follows from it: IoU, accuracy, precision. numpy only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OTHERS = "(none of these)"  # the name of the column of predictions that are none of the classes
Ratios = NDArray[np.float64]  # one per class, 0..1, NaN where undefined


def confusion_matrix(truth: NDArray[Any], prediction: NDArray[Any], num_classes: int, ignore: int) -> NDArray[np.int64]:
    """Count pixels by true and predicted label: (C, C), rows are truth. Matrices of pictures add up.

    Args:
        truth: integer labels of any shape; pixels labelled `ignore` are left out.
        prediction: integer labels 0..num_classes-1, same shape.

    Raises:
        ValueError: when the shapes differ, or a counted pixel has a label outside 0..num_classes-1.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth has shape {truth.shape}, prediction {prediction.shape}")
    counted = truth != ignore
    rows = truth[counted].astype(np.int64)
    columns = prediction[counted].astype(np.int64)
    for name, labels in (("truth", rows), ("prediction", columns)):
        if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
            outside = labels[(labels < 0) | (labels >= num_classes)][0]
            raise ValueError(f"{name} has label {outside}, outside the {num_classes} classes")
    counts = np.bincount(rows * num_classes + columns, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64, copy=False)


def class_confusions(truth: NDArray[Any], prediction: NDArray[Any], ignore: int) -> NDArray[np.int64]:
    """Count pixels of multi-label masks: (C, 2, 2), for each class whether it truly is there and is predicted.

    Args:
        truth: (C, ...) of 0, 1 and `ignore`, which is left out.
        prediction: (C, ...) of 0 and 1, same shape.

    Raises:
        ValueError: when the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth has shape {truth.shape}, prediction {prediction.shape}")
    return np.stack([confusion_matrix(*planes, 2, ignore) for planes in zip(truth, prediction, strict=True)])


@dataclass(frozen=True, eq=False)
class Metrics:
    """Ratios (0..1) that follow from one confusion matrix over a whole split, or, multi-label, from one per class.

    A ratio whose denominator is zero is NaN and left out of its mean: the IoU of a class that occurs neither
    in truth nor in prediction, the accuracy of one absent from truth, the precision of one never predicted.

    Attributes:
        confusion: (C, C) pixel counts, rows are truth, or (C, C + 1), whose last column has predictions that are none
            of the classes; multi-label (C, 2, 2), of being absent and present.
        classes: C names.
        images: number of pictures counted.
        boundary_iou: per class, see `boundaries`; None where it was not measured.
        boundary_f: the same.
    """

    confusion: NDArray[np.int64]
    classes: tuple[str, ...]
    images: int
    boundary_iou: Ratios | None = None
    boundary_f: Ratios | None = None

    @property
    def multi_label(self) -> bool:
        """Whether a pixel may be of several classes."""
        return self.confusion.ndim == 3

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the confusion matrix."""
        beyond = not self.multi_label and self.confusion.shape[1] > len(self.classes)
        return (*self.classes, OTHERS) if beyond else self.classes

    @property
    def others(self) -> float:
        """Share of all counted pixels that are predicted as none of the classes; NaN when none is counted."""
        if not self.pixels:
            return float("nan")
        return 0.0 if self.multi_label else int(self.confusion[:, len(self.classes) :].sum()) / self.pixels

    @property
    def pixels(self) -> int:
        """Counted pixels, those to ignore left out."""
        return int(self.confusion[0].sum() if self.multi_label else self.confusion.sum())

    @property
    def iou(self) -> Ratios:
        """Per class: intersection over union of its true and its predicted pixels."""
        return _ratio(self.hits, self.true + self.predicted - self.hits)

    @property
    def accuracy(self) -> Ratios:
        """Per class: share of its true pixels that are predicted as it (recall)."""
        return _ratio(self.hits, self.true)

    @property
    def precision(self) -> Ratios:
        """Per class: share of the pixels predicted as it that truly are."""
        return _ratio(self.hits, self.predicted)

    @property
    def dice(self) -> Ratios:
        """Per class: twice the intersection over the sum of its true and its predicted pixels, which is F1."""
        return _ratio(2 * self.hits, self.true + self.predicted)

    @property
    def never_predicted(self) -> tuple[str, ...]:
        """Classes that are in the truth, and nowhere in the predictions."""
        missing = (self.true > 0) & (self.predicted == 0)
        return tuple(name for name, is_missing in zip(self.classes, missing, strict=True) if is_missing)

    @property
    def shares(self) -> Ratios:
        """Per class: share of all counted pixels that truly are of it."""
        return _ratio(self.true, np.full_like(self.true, self.pixels))

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur in truth or in prediction."""
        return mean(self.iou)

    @property
    def mean_accuracy(self) -> float:
        """Mean accuracy over the classes that occur in truth."""
        return mean(self.accuracy)

    @property
    def mean_precision(self) -> float:
        """Mean precision over the classes that are predicted somewhere."""
        return mean(self.precision)

    @property
    def mean_precision_of_all(self) -> float:
        """Mean precision over the classes that occur in truth or in prediction, 0 for those that are never predicted:
        what others, torchmetrics among them, call the mean precision.
        """
        return mean(np.where(self.predicted > 0, self.precision, np.where(self.true > 0, 0.0, np.nan)))

    @property
    def pixel_accuracy(self) -> float:
        """Share of all counted pixels that are predicted right; NaN when none is counted.

        Multi-label, share of all pairs of a pixel and a class.
        """
        if not self.pixels:
            return float("nan")
        right = np.trace(self.confusion, axis1=-2, axis2=-1).sum()
        return int(right) / int(self.confusion.sum())

    @property
    def mean_dice(self) -> float:
        """Mean Dice (F1) over the classes that occur in truth or in prediction."""
        return mean(self.dice)

    def per_class(self) -> dict[str, Ratios]:
        """The ratios of each class by name, those along boundaries where they were measured."""
        along = {"boundary_iou": self.boundary_iou, "boundary_f": self.boundary_f}
        measured = {name: ratios for name, ratios in along.items() if ratios is not None}
        return {"iou": self.iou, "accuracy": self.accuracy, "precision": self.precision, "dice": self.dice, **measured}

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ratios 0..1, None where undefined, the confusion matrix (or matrices) as rows of truth."""
        return {
            "miou": _json(self.miou),
            "pixel_accuracy": _json(self.pixel_accuracy),
            "mean_accuracy": _json(self.mean_accuracy),
            "iou": {name: _json(iou) for name, iou in zip(self.classes, self.iou, strict=True)},
            "never_predicted": list(self.never_predicted),
            "images": self.images,
            "pixels": self.pixels,
            "confusion": self.confusion.tolist(),
        }

    def details(self) -> dict[str, Any]:
        """`to_dict` with all other ratios of each class and their means."""
        ratios = {
            name: {one: _json(value) for one, value in zip(self.classes, values, strict=True)}
            for name, values in self.per_class().items()
        }
        means = {f"mean_{name}": _json(mean(values)) for name, values in self.per_class().items() if name != "iou"}
        said = {"mean_precision_of_all": _json(self.mean_precision_of_all)}
        return {**self.to_dict(), **means, **ratios, **said}

    @property
    def hits(self) -> NDArray[np.int64]:
        """Per class: pixels that truly are of it and are predicted as it."""
        return self.confusion[:, 1, 1] if self.multi_label else self.confusion.diagonal()

    @property
    def true(self) -> NDArray[np.int64]:
        """Per class: pixels that truly are of it."""
        counts: NDArray[np.int64] = self.confusion[:, 1].sum(1) if self.multi_label else self.confusion.sum(1)
        return counts

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Per class: pixels that are predicted as it."""
        counts: NDArray[np.int64] = self.confusion[..., 1].sum(1) if self.multi_label else self.confusion.sum(0)
        return counts[: len(self.classes)]


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Ratios:
    """`part / whole` in float64, NaN where `whole` is 0."""
    ratios: Ratios = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratios


def mean(ratios: Ratios) -> float:
    """Mean of the ratios that are defined; NaN when none is."""
    defined = ratios[~np.isnan(ratios)]
    return float(defined.mean()) if defined.size else float("nan")


def _json(ratio: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(ratio) else float(ratio)
