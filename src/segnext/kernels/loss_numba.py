"""Cross entropy of every pixel from low-resolution logits, and its gradient; compiled with numba.

Logits are enlarged bilinearly a row at a time, first down the rows and then across the columns, and exist at full
resolution for one pixel. Low maps are (B, h, w, classes) float32, classes filled up to a multiple of WIDTH with LOWEST.
`row` and `down` say for each of the H rows the position before it and how far it is to the next, `column` and `across`
for each of the W columns. A task is a sample.

The loss of a pixel is of_true[label] * -log p(label) + the sum over all classes of of_all * -log p, without ignored
pixels, which have a negative label.
"""

from typing import Any

import numpy as np

from segnext.kernels.lanes import (
    WIDTH,
    add,
    compiled,
    constant,
    exp,
    fma,
    highest,
    load,
    maximum,
    mul,
    splat,
    store,
    sub,
    total,
)

LOWEST = -1e30


@compiled
def _blend(low: Any, above: int, below: int, down: float, between: Any) -> None:
    """Logits of a sample at a row's height, for every column of the low map."""
    count = between.size
    lower, upper = splat(np.float32(down)), splat(np.float32(1 - down))
    for o in range(0, count, WIDTH):
        value = mul(load(low, above * count + o), upper)
        store(between, o, fma(load(low, below * count + o), lower, value))


@compiled
def forward(
    low: Any, target: Any, row: Any, down: Any, column: Any, across: Any, of_true: Any, of_all: Any, losses: Any,
    norms: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Write each pixel's loss, and the logarithm of the sum of its exponentials; (B, H, W)."""
    _, h, w, classes = low.shape
    between, score = np.empty(w * classes, np.float32), np.empty(classes, np.float32)
    share = of_all.sum()
    for sample in range(first, last):
        logits = low[sample].reshape(-1)
        for y in range(row.size):
            _blend(logits, row[y], min(row[y] + 1, h - 1), down[y], between)
            for x in range(column.size):
                label = target[sample, y, x]
                if label < 0:
                    losses[sample, y, x] = 0
                    continue
                left, right = column[x] * classes, min(column[x] + 1, w - 1) * classes
                a, b = splat(np.float32(1 - across[x])), splat(np.float32(across[x]))
                best, weighted = constant(LOWEST), constant(0.0)
                for c in range(0, classes, WIDTH):
                    value = fma(load(between, right + c), b, mul(load(between, left + c), a))
                    store(score, c, value)
                    best = maximum(best, value)
                    weighted = fma(value, load(of_all, c), weighted)
                top = highest(best)
                peak, whole = splat(top), constant(0.0)
                for c in range(0, classes, WIDTH):
                    whole = add(whole, exp(sub(load(score, c), peak)))
                norm = top + np.log(total(whole))
                norms[sample, y, x] = norm
                loss = of_true[label] * (norm - score[label])
                if share > 0:
                    loss += share * norm - total(weighted)
                losses[sample, y, x] = loss


@compiled
def backward(
    low: Any, target: Any, row: Any, down: Any, column: Any, across: Any, of_true: Any, of_all: Any, grads: Any,
    norms: Any, grad_low: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Add to `grad_low`, like low, the gradient; grads (B, H, W) are those of the losses."""
    _, h, w, classes = low.shape
    count = w * classes
    between, slopes = np.empty(count, np.float32), np.empty(count, np.float32)
    share = of_all.sum()
    for sample in range(first, last):
        logits, result = low[sample].reshape(-1), grad_low[sample].reshape(-1)
        for y in range(row.size):
            above, below = row[y], min(row[y] + 1, h - 1)
            _blend(logits, above, below, down[y], between)
            slopes[:] = 0
            for x in range(column.size):
                label, grad = target[sample, y, x], grads[sample, y, x]
                if label < 0 or grad == 0:
                    continue
                left, right = column[x] * classes, min(column[x] + 1, w - 1) * classes
                a, b = splat(np.float32(1 - across[x])), splat(np.float32(across[x]))
                norm, minus = splat(norms[sample, y, x]), splat(-grad)
                gain = splat(np.float32(grad * (of_true[label] + share)))
                for c in range(0, classes, WIDTH):
                    value = fma(load(between, right + c), b, mul(load(between, left + c), a))
                    slope = fma(minus, load(of_all, c), mul(gain, exp(sub(value, norm))))
                    store(slopes, left + c, fma(slope, a, load(slopes, left + c)))
                    store(slopes, right + c, fma(slope, b, load(slopes, right + c)))
                of_label = grad * of_true[label]
                slopes[left + label] -= of_label * (1 - across[x])
                slopes[right + label] -= of_label * across[x]
            lower, upper = splat(np.float32(down[y])), splat(np.float32(1 - down[y]))
            for o in range(0, count, WIDTH):
                slope = load(slopes, o)
                store(result, above * count + o, fma(slope, upper, load(result, above * count + o)))
                store(result, below * count + o, fma(slope, lower, load(result, below * count + o)))
