"""Several looks at one picture, averaged: softmax probabilities from low-resolution logits.

The released code enlarges each look's logits to the picture's size, takes the softmax and adds them up in classes x
height x width numbers. Here a few rows of the picture are done at a time, for all looks, so that beside the
low-resolution logits there is only what those rows need, and it stays in the cache.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segnext.kernels.classify import FLAGS, exp
from segnext.kernels.compiling import compiled
from segnext.kernels.enlarge import Logits, host, places
from segnext.kernels.threads import cores, share

ROWS = 8  # that are done at a time


class Look(NamedTuple):
    """What the network said about a picture at some scale, perhaps mirrored.

    Attributes:
        logits: (h, w, classes) float32, where they were computed.
        covered: height and width, in pixels of the picture, that the logits extend over; more than the picture's own
            where it was padded below and on the right.
        mirrored: whether the network saw the picture with left and right exchanged; `logits` are as it saw it.
        corners: see `enlarge.places`.
    """

    logits: Logits
    covered: tuple[float, float]
    mirrored: bool = False
    corners: int = 0


def vote(
    looks: Sequence[Look], size: tuple[int, int], *, confidence: bool = False, rows: range | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """The label with the highest mean probability over the looks, and that probability if asked for.

    Each look's logits are resized bilinearly (as torch does), mirrored back, and go through a
    softmax of their own. Of equal labels the lowest wins. What is found of some rows is that of the whole, to the byte.

    Args:
        looks: at least one; the same classes, at most 256, in each.
        size: height and width of the picture.
        confidence: whether the probabilities are wanted.
        rows: of the picture that are wanted, one after the other; None for all.

    Returns:
        Labels (H, W) uint8, and None or mean probabilities (H, W) float32; H is how many rows are wanted.
    """
    rows = range(size[0]) if rows is None else rows
    labels = np.empty((len(rows), size[1]), np.uint8)
    probability = np.empty((len(rows), size[1]), np.float32) if confidence else None

    def take(top: int, total: NDArray[np.float32]) -> None:
        bottom = top + total.shape[0]
        labels[top:bottom] = total.argmax(1)
        if probability is not None:
            probability[top:bottom] = total.max(1) / np.float32(len(looks))

    _by_rows(looks, size, rows, take)
    return labels, probability


def mean_probabilities(
    looks: Sequence[Look], size: tuple[int, int], *, rows: range | None = None
) -> NDArray[np.float32]:
    """The mean probability of every class, (classes, H, W); see `vote`."""
    rows = range(size[0]) if rows is None else rows
    mean = np.empty((looks[0].logits.shape[2], len(rows), size[1]), np.float32)

    def take(top: int, total: NDArray[np.float32]) -> None:
        mean[:, top : top + total.shape[0]] = total.transpose(1, 0, 2) / np.float32(len(looks))

    _by_rows(looks, size, rows, take)
    return mean


def _by_rows(
    looks: Sequence[Look], size: tuple[int, int], wanted: range, take: Callable[[int, NDArray[np.float32]], None]
) -> None:
    """Call take(top, sum of probabilities (rows, classes, W)) for all bands of `wanted`; in several threads."""
    height, width = len(wanted), size[1]
    parts = [(np.ascontiguousarray(host(look.logits), np.float32), *_grid(look, width, wanted)) for look in looks]
    classes = looks[0].logits.shape[2]

    def work(worker: int, workers: int) -> None:
        total = np.empty((ROWS, classes, width), np.float32)
        for top in range(worker * ROWS, height, workers * ROWS):
            rows = slice(top, min(top + ROWS, height))
            band = total[: rows.stop - top]
            band[:] = 0
            for logits, row, down, column, across in parts:
                _add(logits, row[rows], down[rows], column, across, band)
            take(top, band)

    share(work, min(cores(), -(-height // ROWS)))


def _grid(look: Look, width: int, rows: range) -> tuple[NDArray[Any], ...]:
    """For each of `rows`, and for each column of the picture: the position before it, and how far it is to the next."""
    row, down = places(look.logits.shape[0], look.covered[0], rows, look.corners)
    column, across = places(look.logits.shape[1], look.covered[1], range(width), look.corners)
    step = -1 if look.mirrored else 1
    return row, down, np.ascontiguousarray(column[::step]), np.ascontiguousarray(across[::step])


@compiled(fastmath=FLAGS)
def _add(logits: Any, row: Any, down: Any, column: Any, across: Any, total: Any) -> None:
    """Add the softmax of the enlarged logits to `total`, (rows, classes, W)."""
    h, w, classes = logits.shape
    width = column.shape[0]
    between = np.empty((classes, w), np.float32)  # a row of logits, at the picture's height
    score = np.empty((classes, width), np.float32)
    best, scale = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(row.shape[0]):
        above, below = row[y], min(row[y] + 1, h - 1)
        for j in range(w):
            for k in range(classes):
                between[k, j] = logits[above, j, k] * (1 - down[y]) + logits[below, j, k] * down[y]
        best[:] = -np.inf
        for k in range(classes):
            for x in range(width):
                left = column[x]
                right = min(left + 1, w - 1)
                score[k, x] = between[k, left] * (1 - across[x]) + between[k, right] * across[x]
                best[x] = max(best[x], score[k, x])
        scale[:] = 0
        for k in range(classes):
            for x in range(width):
                score[k, x] = exp(score[k, x] - best[x])
                scale[x] += score[k, x]
        for x in range(width):
            scale[x] = 1 / scale[x]
        for k in range(classes):
            for x in range(width):
                total[y, k, x] += score[k, x] * scale[x]
