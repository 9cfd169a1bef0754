"""From low-resolution logits to the label of every pixel, without logits at full resolution.

The released code enlarges the logits bilinearly, takes the softmax and then the largest: three passes over
classes x height x width numbers, as long as the network itself takes on a processor. Here each cell between
four neighbouring positions is worked on while it lies in the cache. Between its corners the score of a class
is at most its highest corner; a class whose highest corner is below another's lowest cannot win there, so
most cells have one candidate and need no arithmetic. (Rounding is monotonic, so this holds for floats too.)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.kernels.compiling import compiled
from segnext.kernels.enlarge import places
from segnext.kernels.threads import cores, share

LOWEST = -20.0  # exp of it adds nothing that float32 could hold
FLAGS = {"nnan", "ninf", "nsz", "contract", "reassoc"}


def classify(
    logits: NDArray[np.float32],
    covered: tuple[float, float],
    size: tuple[int, int],
    *,
    confidence: bool = False,
    corners: int = 0,
    rows: range | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """Labels, and softmax probabilities of the chosen classes if asked for, at full resolution.

    The labels are those of torch's bilinear resize and argmax, except where two classes are
    equal up to rounding. Those of some rows are those of the whole, to the byte.

    Args:
        logits: (h, w, classes), at most 256 classes.
        covered: height and width that the logits extend over, in pixels of the result.
        size: height and width of the result, its top left corner that of the logits; at most `covered`.
        confidence: whether the probabilities are wanted.
        corners: see `enlarge.places`.
        rows: of the result that are wanted, one after the other; None for all.

    Returns:
        Labels (H, W) uint8, and None or probabilities (H, W) float32; H is how many rows are wanted.
    """
    logits = np.ascontiguousarray(logits, np.float32)
    rows = range(size[0]) if rows is None else rows
    down, across = (
        _cells(logits.shape[axis], covered[axis], pixels, corners) for axis, pixels in ((0, rows), (1, range(size[1])))
    )
    shape = len(rows), size[1]
    labels = np.empty(shape, np.uint8)
    probability = np.empty(shape if confidence else (0, 0), np.float32)
    touched = np.flatnonzero(np.diff(down[0]))[[0, -1]] + (0, 1)  # rows of cells, from and to

    def work(worker: int, workers: int) -> None:
        first, last = (touched[0] + (touched[1] - touched[0]) * end // workers for end in (worker, worker + 1))
        _fill(logits, first, last, *down, *across, labels, probability)

    share(work, min(cores(), touched[1] - touched[0]))
    return labels, probability if confidence else None


def _cells(low: int, covered: float, pixels: range, corners: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Where along one axis each cell's pixels start, (low + 1,), and each pixel's place in its cell, 0..1."""
    cell, place = places(low, covered, pixels, corners)
    return np.searchsorted(cell, np.arange(low + 1)), place


@compiled(fastmath=FLAGS)
def _candidates(corners: Any, margin: Any, top: Any, chosen: Any) -> int:
    """Write into `chosen` the classes that come within `margin` (negative) of the highest in a cell; how many."""
    a, b, c, d = corners[0], corners[1], corners[2], corners[3]
    bar = np.float32(-np.inf)
    for k in range(a.shape[0]):
        top[k] = max(max(a[k], b[k]), max(c[k], d[k]))
        bar = max(bar, min(min(a[k], b[k]), min(c[k], d[k])))
    count = 0
    for k in range(a.shape[0]):
        chosen[count] = k
        count += top[k] >= bar + margin
    return count


@compiled(fastmath=FLAGS)
def _weigh(down: Any, across: Any, weights: Any) -> None:
    """Bilinear weights (4, pixels) of the corners for each pixel of a cell, row by row."""
    columns = across.shape[0]
    for y in range(down.shape[0]):
        for x in range(columns):
            n = y * columns + x
            weights[0, n] = (1 - down[y]) * (1 - across[x])
            weights[1, n] = (1 - down[y]) * across[x]
            weights[2, n] = down[y] * (1 - across[x])
            weights[3, n] = down[y] * across[x]


@compiled(fastmath=FLAGS)
def _choose(corners: Any, chosen: Any, weights: Any, best: Any, label: Any) -> None:
    """The highest of the chosen classes, and its score, at each pixel of a cell."""
    best[:] = -np.inf
    label[:] = 0
    u, v, w, z = weights[0], weights[1], weights[2], weights[3]
    for k in chosen:
        a, b, c, d = corners[0, k], corners[1, k], corners[2, k], corners[3, k]
        for n in range(best.shape[0]):
            score = a * u[n] + b * v[n] + (c * w[n] + d * z[n])
            higher = score > best[n]
            best[n] = score if higher else best[n]
            label[n] = k if higher else label[n]


@compiled(fastmath=FLAGS)
def exp(x: Any) -> Any:
    """The exponential of x <= 0, within 1e-7 of it: arithmetic that the compiler turns into vector code."""
    t = max(x, np.float32(LOWEST)) * np.float32(1 / 64)
    p = np.float32(1 / 24) * t + np.float32(1 / 6)
    p = ((p * t + np.float32(0.5)) * t + np.float32(1)) * t + np.float32(1)
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@compiled(fastmath=FLAGS)
def _sum_exp(corners: Any, chosen: Any, weights: Any, best: Any, total: Any) -> None:
    """Sum over the chosen classes of exp(score - best) at each pixel of a cell."""
    total[:] = 0
    u, v, w, z = weights[0], weights[1], weights[2], weights[3]
    for k in chosen:
        a, b, c, d = corners[0, k], corners[1, k], corners[2, k], corners[3, k]
        for n in range(best.shape[0]):
            total[n] += exp(a * u[n] + b * v[n] + (c * w[n] + d * z[n]) - best[n])


@compiled()
def _widest(starts: Any) -> int:
    """Pixels of the widest cell."""
    widest = 0
    for n in range(starts.shape[0] - 1):
        widest = max(widest, starts[n + 1] - starts[n])
    return widest


@compiled()
def _fill(
    logits: Any,
    first: int,
    last: int,
    row_starts: Any,
    down: Any,
    column_starts: Any,
    across: Any,
    labels: Any,
    probability: Any,
) -> None:
    """Fill the pixels of the cells in rows [first, last).

    In loops: a slice that is assigned to another is compiled for seconds, with what its error message would say.
    """
    h, w, classes = logits.shape
    largest = _widest(row_starts) * _widest(column_starts)
    weights = np.empty((4, largest), np.float32)
    best, total, label = np.empty(largest, np.float32), np.empty(largest, np.float32), np.empty(largest, np.int32)
    corners, top = np.empty((4, classes), np.float32), np.empty(classes, np.float32)
    chosen = np.empty(classes + 1, np.int64)
    for i in range(first, last):
        y0, y1 = row_starts[i], row_starts[i + 1]
        for j in range(w):
            x0, x1 = column_starts[j], column_starts[j + 1]
            n = (y1 - y0) * (x1 - x0)
            if n == 0:
                continue
            right, below = min(j + 1, w - 1), min(i + 1, h - 1)
            for k in range(classes):
                corners[0, k], corners[1, k] = logits[i, j, k], logits[i, right, k]
                corners[2, k], corners[3, k] = logits[below, j, k], logits[below, right, k]
            count = _candidates(corners, np.float32(0), top, chosen)
            if count == 1 and probability.size == 0:
                labels[y0:y1, x0:x1] = chosen[0]
                continue
            _weigh(down[y0:y1], across[x0:x1], weights)
            _choose(corners, chosen[:count], weights, best[:n], label[:n])
            for y in range(y0, y1):
                for x in range(x0, x1):
                    labels[y, x] = label[(y - y0) * (x1 - x0) + x - x0]
            if probability.size:
                count = _candidates(corners, np.float32(LOWEST), top, chosen)
                _sum_exp(corners, chosen[:count], weights, best[:n], total[:n])
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        probability[y, x] = 1 / total[(y - y0) * (x1 - x0) + x - x0]
