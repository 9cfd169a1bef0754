"""Sums over the positions of a map, and factors and shifts of its channels: what norms and residual sums are made of.

Maps are flat arrays (B, positions, C), float32 or bfloat16 words; tables are (B, C) float32, a row for each sample. A
task is one of PARTS equal parts of a sample's positions, the same for any number of threads, so that sums over tasks
have the same bits. Compiled with numba.
"""

from typing import Any

from segnext.kernels.lanes import WIDTH, add, compiled, constant, fma, load, mul, store, sub
from segnext.kernels.threads import PARTS


@compiled
def _part(task: int, positions: int) -> tuple[int, int, int]:
    """A task's sample, and its first and last position in the map."""
    sample, part = task // PARTS, task % PARTS
    start = sample * positions
    return sample, start + positions * part // PARTS, start + positions * (part + 1) // PARTS


@compiled
def moments(x: Any, means: Any, squares: Any, positions: int, channels: int, first: int, last: int) -> None:
    """Each task's mean of every channel, and the sum of the squared distances from it; both (tasks, C)."""
    for task in range(first, last):
        _, begin, end = _part(task, positions)
        if begin == end:
            continue
        share = constant(1.0 / (end - begin))
        for c in range(0, channels, WIDTH):
            total = constant(0.0)
            for n in range(begin, end):
                total = add(total, load(x, n * channels + c))
            mean = mul(total, share)
            square = constant(0.0)
            for n in range(begin, end):
                distance = sub(load(x, n * channels + c), mean)
                square = fma(distance, distance, square)
            store(means[task], c, mean)
            store(squares[task], c, square)


@compiled
def apply(x: Any, factor: Any, shift: Any, out: Any, positions: int, channels: int, first: int, last: int) -> None:
    """Write x * factor + shift to `out`."""
    for task in range(first, last):
        sample, begin, end = _part(task, positions)
        for n in range(begin, end):
            for c in range(0, channels, WIDTH):
                value = fma(load(x, n * channels + c), load(factor[sample], c), load(shift[sample], c))
                store(out, n * channels + c, value)


@compiled
def total(x: Any, totals: Any, positions: int, channels: int, first: int, last: int) -> None:
    """Each task's sum of every channel."""
    for task in range(first, last):
        _, begin, end = _part(task, positions)
        for c in range(0, channels, WIDTH):
            whole = constant(0.0)
            for n in range(begin, end):
                whole = add(whole, load(x, n * channels + c))
            store(totals[task], c, whole)


@compiled
def sums(
    grad: Any, x: Any, centre: Any, totals: Any, products: Any, positions: int, channels: int, first: int, last: int
) -> None:
    """Each task's sum of grad, and of grad * (x - centre), for every channel."""
    for task in range(first, last):
        sample, begin, end = _part(task, positions)
        for c in range(0, channels, WIDTH):
            total, product, middle = constant(0.0), constant(0.0), load(centre[sample], c)
            for n in range(begin, end):
                slope = load(grad, n * channels + c)
                total = add(total, slope)
                product = fma(slope, sub(load(x, n * channels + c), middle), product)
            store(totals[task], c, total)
            store(products[task], c, product)


@compiled
def combine(
    grad: Any, x: Any, of_grad: Any, of_x: Any, rest: Any, other: Any, also: bool, out: Any, positions: int,
    channels: int, first: int, last: int,
) -> None:  # fmt: skip
    """Write grad * of_grad + x * of_x + rest, and with `also` + other, to `out`."""
    for task in range(first, last):
        sample, begin, end = _part(task, positions)
        for n in range(begin, end):
            for c in range(0, channels, WIDTH):
                o = n * channels + c
                value = fma(load(x, o), load(of_x[sample], c), load(rest[sample], c))
                value = fma(load(grad, o), load(of_grad[sample], c), value)
                if also:
                    value = add(value, load(other, o))
                store(out, o, value)


@compiled
def residual(
    x: Any, a: Any, of_a: Any, b: Any, of_b: Any, both: bool, out: Any, positions: int, channels: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Write x + a * of_a, and with `both` + b * of_b, to `out`."""
    for task in range(first, last):
        sample, begin, end = _part(task, positions)
        for n in range(begin, end):
            for c in range(0, channels, WIDTH):
                o = n * channels + c
                value = fma(load(a, o), load(of_a[sample], c), load(x, o))
                if both:
                    value = fma(load(b, o), load(of_b[sample], c), value)
                store(out, o, value)
