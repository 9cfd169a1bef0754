"""From what the network said of a picture to labels: by our kernels on a processor, else where it was said."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.kernels.average import Look, vote
from segnext.kernels.classify import classify
from segnext.kernels.enlarge import enlarge

BAND = 64  # rows that are done at a time on another device


def decide(
    looks: Sequence[Look], size: tuple[int, int], *, confidence: bool = False, rows: range | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """Labels, and their probabilities if asked for; of one look without computing those of the other classes.

    Arguments and results are those of `average.vote`.
    """
    logits, covered, _, corners = looks[0]
    if not isinstance(logits, np.ndarray):
        return _where_they_are(looks, size, confidence, range(size[0]) if rows is None else rows)
    if len(looks) == 1:
        return classify(logits, covered, size, confidence=confidence, corners=corners, rows=rows)
    return vote(looks, size, confidence=confidence, rows=rows)


def _where_they_are(
    looks: Sequence[Look], size: tuple[int, int], confidence: bool, rows: range
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """The same of torch's tensors, on their device; only labels leave it, and what else is asked for."""
    labels = np.empty((len(rows), size[1]), np.uint8)
    probability = np.empty(labels.shape, np.float32) if confidence else None
    for top in range(0, len(rows), BAND):
        band = slice(top, top + BAND)
        scores = [_as_the_picture(look, size, rows[band]) for look in looks]
        best = scores[0] if len(looks) == 1 else _mean_chance(scores)
        labels[band] = best.argmax(0).byte().cpu().numpy()
        if probability is not None:
            probability[band] = _mean_chance(scores).amax(0).cpu().numpy()
    return labels, probability


def _mean_chance(scores: list[Any]) -> Any:
    return sum(each.softmax(0) for each in scores) / len(scores)


def _as_the_picture(look: Look, size: tuple[int, int], rows: range) -> Any:
    """Scores of all classes, (classes, rows, W), mirrored back."""
    scores = enlarge(look.logits, look.covered, size, look.corners, rows)
    return scores.flip(2) if look.mirrored else scores
