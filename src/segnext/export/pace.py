"""Exported files side by side: which is the quickest on this machine."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple, cast

from numpy.typing import NDArray

from segnext.bench.measure import take_turns
from segnext.bench.worker import Worker
from segnext.checkpoint.weights import load_weights
from segnext.inference.engines import open_exported
from segnext.inference.runtime import PrecisionName, Runtime

ROUNDS = 15  # that count, of each


class Entrant(NamedTuple):
    """A file, and the precision that its runtime is to compute in where it may choose."""

    file: Path
    precision: str


@dataclass(frozen=True)
class Pace:
    """How quick a file is: the median of its rounds, in seconds, from its input to its output."""

    name: str
    seconds: float


class Runner:
    """A file in a process of its own, and what it is given."""

    def __init__(self, entrant: Entrant, x: NDArray[Any]) -> None:
        runtime = Runtime(precision=cast(PrecisionName, entrant.precision))
        self.engine, self.x = open_exported(load_weights(entrant.file), runtime), x

    def round(self) -> dict[str, float]:
        """Run it once; the seconds that it took."""
        start = perf_counter()
        self.engine.outputs(self.x)
        return {"network": perf_counter() - start}


def race(
    entrants: Mapping[str, Entrant], x: NDArray[Any], progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[Pace]:
    """Run all of them on the same input, in turns, so that what else the machine does falls on all alike."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, partial(Runner, one, x))) for name, one in entrants.items()]
        times = take_turns(workers, ROUNDS, progress)
    rounds = ([one["network"] for one in found] for found in times)
    return [Pace(name, median(found)) for name, found in zip(entrants, rounds, strict=True)]
