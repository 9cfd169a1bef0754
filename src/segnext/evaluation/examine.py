"""Evaluation picture by picture: how well each is segmented, and which classes are taken for which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.evaluation.boundaries import boundary_f, boundary_iou, outlines
from segnext.evaluation.evaluate import Predict, compared, confusion, no_counts
from segnext.evaluation.metrics import Metrics
from segnext.labels import Labels

MISTAKES = 3  # told of each picture


@dataclass(frozen=True)
class Mistake:
    """Pixels of the class `truth` that were taken for `prediction`; `share` is theirs of all labelled pixels, 0..1.

    Multi-label, where classes are only missed or claimed, the other of the two is "".
    """

    truth: str
    prediction: str
    pixels: int
    share: float


@dataclass(frozen=True)
class Score:
    """How well one picture is segmented.

    Attributes:
        pair: the picture and its mask.
        iou: mean over the classes in its truth or its prediction, 0..1; NaN when every pixel is ignored.
        pixel_accuracy: share of its labelled pixels that are right; NaN when there is none.
        mistakes: the largest, most pixels first.
    """

    pair: Pair
    iou: float
    pixel_accuracy: float
    mistakes: tuple[Mistake, ...]


def examine(
    predict: Predict,
    pairs: Sequence[Pair],
    labels: Labels,
    progress: Callable[[int], None] = lambda done: None,
    *,
    others: bool = False,
) -> tuple[Metrics, list[Score]]:
    """As `evaluate`, with a score for each picture beside the metrics of all, those along boundaries among them.

    With `others` predictions may be labels beyond the classes, which are wrong everywhere.

    Raises:
        SegNextError: when there is no picture, or a prediction and its mask differ in size.
    """
    if not pairs:
        raise SegNextError("there are no pictures to evaluate; choose a split that has some")
    total, along = no_counts(labels, others=others), np.zeros((6, len(labels)), np.int64)
    scores = []
    for pair, (truth, prediction) in zip(pairs, compared(predict, pairs, labels), strict=True):
        counts = confusion(truth, prediction, labels, others=others)
        total += counts
        along += outlines(truth, prediction, labels)
        one = Metrics(counts, labels.classes, 1)
        scores.append(Score(pair, one.miou, one.pixel_accuracy, mistakes(one, MISTAKES)))
        progress(len(scores))
    return Metrics(total, labels.classes, len(scores), boundary_iou(along), boundary_f(along)), scores


def worst(scores: Sequence[Score], count: int) -> list[Score]:
    """The pictures of the lowest IoU, the lowest first; those without a labelled pixel left out."""
    return _ranked(scores)[:count]


def typical(scores: Sequence[Score], count: int) -> list[Score]:
    """The pictures in the middle, around the median IoU, the lowest first; those without a labelled pixel left out."""
    ranked = _ranked(scores)
    first = max(0, (len(ranked) - count) // 2)
    return ranked[first : first + count]


def telling(scores: Sequence[Score], count: int) -> list[Pair]:
    """Pictures from which people learn most: half of them the worst, half those around the median, each once."""
    chosen = [*worst(scores, count - count // 2), *typical(scores, count // 2)]
    return list({score.pair.image: score.pair for score in chosen}.values())


def _ranked(scores: Sequence[Score]) -> list[Score]:
    return sorted((score for score in scores if not np.isnan(score.iou)), key=lambda score: score.iou)


def mistakes(metrics: Metrics, most: int) -> tuple[Mistake, ...]:
    """The largest entries beside the diagonal of the confusion matrix, or matrices, most pixels first."""
    names, wrong = (*metrics.columns, ""), _wrong(metrics)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    found = [(*divmod(int(index), wrong.shape[1]), int(wrong.flat[index])) for index in order]
    return tuple(
        Mistake(names[truth], names[prediction], pixels, pixels / metrics.pixels)
        for truth, prediction, pixels in found
        if pixels
    )


def _wrong(metrics: Metrics) -> NDArray[np.int64]:
    """The confusion matrix without what is right; multi-label (C + 1, C + 1), whose last are no class."""
    if not metrics.multi_label:
        wrong: NDArray[np.int64] = metrics.confusion.copy()
        np.fill_diagonal(wrong, 0)
        return wrong
    count = len(metrics.classes)
    wrong = np.zeros((count + 1, count + 1), np.int64)
    wrong[:count, count], wrong[count, :count] = metrics.confusion[:, 1, 0], metrics.confusion[:, 0, 1]
    return wrong
