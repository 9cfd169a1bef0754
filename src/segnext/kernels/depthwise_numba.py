"""The depthwise weight gradient on a CPU, compiled with numba.

Apart from `depthwise.py` so that numba is imported only by those who train on a CPU.
Shapes: x and grad (B, H, W, C), bfloat16 as raw 16-bit words or float32; result (kernel height * kernel width, C).
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segnext.kernels.compiling import compiled
from segnext.kernels.threads import share

ROWS = 8  # rows of one partial sum; fixed, so that the order of additions never depends on the threads


@compiled()
def _widen(words: Any) -> Any:
    """bfloat16 words (H, W, C) -> float32: a bfloat16 is the upper half of a float32."""
    wide = np.empty(words.shape, np.uint32)
    for h in range(words.shape[0]):
        for w in range(words.shape[1]):
            for c in range(words.shape[2]):
                wide[h, w, c] = np.uint32(words[h, w, c]) << np.uint32(16)
    return wide.view(np.float32)


@compiled(fastmath=True)
def _accumulate(x: Any, grad: Any, offset: int, kh: int, kw: int, out: Any) -> None:
    """Add to `out` (kh * kw, C) the products of grad's rows with x; grad's row 0 lies on x's row `offset`."""
    height, width, channels = x.shape
    for h in range(grad.shape[0]):
        for i in range(kh):
            y = h + offset + i - kh // 2
            if y < 0 or y >= height:
                continue
            for j in range(kw):
                shift = j - kw // 2
                first, last = max(0, -shift), min(width, width - shift)
                g, v, sums = grad[h, first:last], x[y, first + shift : last + shift], out[i * kw + j]
                whole = (last - first) // 8 * 8 if last > first else 0
                for w in range(0, whole, 8):  # eight products for each read and write of the sums
                    for c in range(channels):
                        sums[c] += (
                            (g[w, c] * v[w, c] + g[w + 1, c] * v[w + 1, c])
                            + (g[w + 2, c] * v[w + 2, c] + g[w + 3, c] * v[w + 3, c])
                        ) + (
                            (g[w + 4, c] * v[w + 4, c] + g[w + 5, c] * v[w + 5, c])
                            + (g[w + 6, c] * v[w + 6, c] + g[w + 7, c] * v[w + 7, c])
                        )
                for w in range(whole, last - first):
                    for c in range(channels):
                        sums[c] += g[w, c] * v[w, c]


def weight_gradient(x: NDArray[Any], grad: NDArray[Any], kh: int, kw: int) -> NDArray[np.float32]:
    """Sum over samples and positions of grad[b, h, w, c] * x[b, h + i - kh // 2, w + j - kw // 2, c]."""
    batch, height, _, channels = x.shape
    tasks = [(b, first) for b in range(batch) for first in range(0, height, ROWS)]
    partial = np.zeros((len(tasks), kh * kw, channels), np.float32)

    def run(worker: int, workers: int) -> None:
        for index in range(worker, len(tasks), workers):
            b, first = tasks[index]
            top = max(0, first - kh // 2)
            x_rows = x[b, top : first + ROWS + kh // 2]
            grad_rows = grad[b, first : first + ROWS]
            if x.dtype == np.uint16:
                x_rows, grad_rows = _widen(x_rows), _widen(grad_rows)
            _accumulate(x_rows, grad_rows, first - top, kh, kw, partial[index])

    share(run, min(torch.get_num_threads(), len(tasks)))
    total: NDArray[np.float32] = partial.sum(axis=0)
    return total
