"""Products of a map with WIDTH columns, too few for a library to be quick; compiled with numba.

x is flat (B, N, D), float32 or bfloat16 words, D a multiple of WIDTH; `columns` is flat float32. A task is one of PARTS
equal parts of a sample's positions, so that sums have the same bits for any number of threads.
"""

from typing import Any

from segnext.kernels.lanes import WIDTH, compiled, constant, fma, load, splat, store
from segnext.kernels.taps import copy, zeros

PARTS = 4
BLOCK = 8  # positions done together: each row of bases is read once for them


@compiled
def _widened(x: Any, first: int, count: int, channels: int, rows: Any) -> None:
    """Bring positions into `rows`, and zeros for those up to BLOCK."""
    for o in range(0, count * channels, WIDTH):
        store(rows, o, load(x, first * channels + o))
    rows[count * channels :] = 0


@compiled
def times_bases(x: Any, columns: Any, out: Any, positions: int, channels: int, first: int, last: int) -> None:
    """Write x (B, N, D) times columns (B, D, WIDTH) to `out` (B, N, WIDTH)."""
    rows, found = zeros(BLOCK * channels), zeros(BLOCK * WIDTH)
    for task in range(first, last):
        sample, part = task // PARTS, task % PARTS
        start, bases = sample * positions, columns[sample * channels * WIDTH :]
        end = start + positions * (part + 1) // PARTS
        for n in range(start + positions * part // PARTS, end, BLOCK):
            count = min(BLOCK, end - n)
            _widened(x, n, count, channels, rows)
            s0, s1, s2, s3 = constant(0.0), constant(0.0), constant(0.0), constant(0.0)
            s4, s5, s6, s7 = s0, s1, s2, s3
            for d in range(channels):
                base = load(bases, d * WIDTH)
                s0 = fma(splat(rows[d]), base, s0)
                s1 = fma(splat(rows[channels + d]), base, s1)
                s2 = fma(splat(rows[2 * channels + d]), base, s2)
                s3 = fma(splat(rows[3 * channels + d]), base, s3)
                s4 = fma(splat(rows[4 * channels + d]), base, s4)
                s5 = fma(splat(rows[5 * channels + d]), base, s5)
                s6 = fma(splat(rows[6 * channels + d]), base, s6)
                s7 = fma(splat(rows[7 * channels + d]), base, s7)
            store(found, 0, s0)
            store(found, WIDTH, s1)
            store(found, 2 * WIDTH, s2)
            store(found, 3 * WIDTH, s3)
            store(found, 4 * WIDTH, s4)
            store(found, 5 * WIDTH, s5)
            store(found, 6 * WIDTH, s6)
            store(found, 7 * WIDTH, s7)
            copy(found, 0, out, n * WIDTH, count * WIDTH)


@compiled
def times_coefficients(x: Any, columns: Any, out: Any, positions: int, channels: int, first: int, last: int) -> None:
    """Add to `out` (tasks, D * WIDTH) each task's share in x^T (B, D, N) times columns (B, N, WIDTH)."""
    rows, coefficients = zeros(BLOCK * channels), zeros(BLOCK * WIDTH)
    for task in range(first, last):
        sample, part, total = task // PARTS, task % PARTS, out[task]
        start = sample * positions
        end = start + positions * (part + 1) // PARTS
        for n in range(start + positions * part // PARTS, end, BLOCK):
            count = min(BLOCK, end - n)
            _widened(x, n, count, channels, rows)
            copy(columns, n * WIDTH, coefficients, 0, count * WIDTH)
            c0, c1 = load(coefficients, 0), load(coefficients, WIDTH)
            c2, c3 = load(coefficients, 2 * WIDTH), load(coefficients, 3 * WIDTH)
            c4, c5 = load(coefficients, 4 * WIDTH), load(coefficients, 5 * WIDTH)
            c6, c7 = load(coefficients, 6 * WIDTH), load(coefficients, 7 * WIDTH)
            for d in range(channels):
                value = fma(splat(rows[d]), c0, load(total, d * WIDTH))
                value = fma(splat(rows[channels + d]), c1, value)
                value = fma(splat(rows[2 * channels + d]), c2, value)
                value = fma(splat(rows[3 * channels + d]), c3, value)
                value = fma(splat(rows[4 * channels + d]), c4, value)
                value = fma(splat(rows[5 * channels + d]), c5, value)
                value = fma(splat(rows[6 * channels + d]), c6, value)
                store(total, d * WIDTH, fma(splat(rows[7 * channels + d]), c7, value))
