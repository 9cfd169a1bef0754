"""All ways side by side: a process for each, taking turns round by round."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np

from segnext.bench.limits import Limits, Probe
from segnext.bench.stages import STAGES
from segnext.bench.task import Task
from segnext.bench.ways import OURS, Way, open_way
from segnext.bench.worker import Worker

WARM_UP = 2  # rounds that do not count
PAUSE = 0.02  # seconds after which the threads of the process before have gone to sleep

Progress = Callable[[str, int, int], None]  # what is done, how many are done, of how many


@dataclass(frozen=True)
class Measured:
    """What was measured of one way.

    Attributes:
        way: which.
        rounds: seconds of each stage, in every round that counts.
        peak_rss: the most memory its process held, in bytes, starting with the engine's cache filled.
        agreement: share of pixels, 0..1, with the labels of the plain way of the same network.
    """

    way: Way
    rounds: list[dict[str, float]]
    peak_rss: int | None
    agreement: float

    def seconds(self, *stages: str) -> float:
        """The median over the rounds of the sum of some stages; of all without arguments."""
        return median(sum(times[stage] for stage in stages or STAGES) for times in self.rounds)


def measure(ways: Sequence[Way], task: Task, rounds: int, progress: Progress) -> tuple[list[Measured], Limits]:
    """Run every way `rounds` times, in turns, so that what else the machine does falls on all alike.

    Of the machine's limits the best round counts, as they are what it can do at most.

    Args:
        ways: the first of each network is its plain way.
        task: what they do.
        rounds: how many rounds count.
        progress: is told about every step.

    Raises:
        SegNextError: when a way cannot be had or its process ends.
    """
    precisions = tuple(dict.fromkeys(way.precision for way in ways if way.network == OURS))
    with ExitStack() as stack:
        workers = []
        for number, way in enumerate(ways):
            progress("preparing", number, len(ways))
            workers.append(stack.enter_context(_ready(way, task)))
        probe = stack.enter_context(Worker("limits", partial(Probe, precisions)))
        progress("preparing", len(ways), len(ways))
        times = take_turns([*workers, probe], rounds, progress)
        masks = [worker.call("mask") for worker in workers]
        measured = []
        for number, (way, worker) in enumerate(zip(ways, workers, strict=True)):
            plain = next(mask for other, mask in zip(ways, masks, strict=True) if other.network == way.network)
            agreement = float(np.mean(masks[number] == plain))
            measured.append(Measured(way, times[number], worker.peak_rss(), agreement))
    limits = times[-1]
    return measured, Limits.of({name: min(found[name] for found in limits) for name in limits[0]})


def take_turns(workers: Sequence[Worker], rounds: int, progress: Progress) -> list[list[dict[str, float]]]:
    """What `round` gives in every process, in every round that counts; the processes take turns."""
    times: list[list[dict[str, float]]] = [[] for _ in workers]
    for number in range(WARM_UP + rounds):
        for results, worker in zip(times, workers, strict=True):
            time.sleep(PAUSE)
            results.append(worker.call("round"))
        progress("measuring", number + 1, WARM_UP + rounds)
    return [results[WARM_UP:] for results in times]


def _ready(way: Way, task: Task) -> Worker:
    """The way in a process, started with the engine's cache filled, as it is in all uses but the first."""
    start = partial(open_way, way, task)
    if way.engine not in ("plain", "torch"):
        Worker(way.name, start).close()
    return Worker(way.name, start)
