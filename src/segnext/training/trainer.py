"""The steps of a run, and what surrounds them: log, measurements, checkpoints, and clean ends."""

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.data.crops import batches
from segnext.errors import SegNextError
from segnext.training.log import Log
from segnext.training.memory import watching_memory
from segnext.training.processes import Processes
from segnext.training.progress import Progress
from segnext.training.state import State
from segnext.training.step import Batch, NotFiniteError, Step, Taken
from segnext.training.stop import Stop, Stopped
from segnext.training.task import Callbacks, Task
from segnext.words import quoted


class _BrokenOffError(Exception):
    """A measurement that is not finished because the run is to stop."""


@dataclass
class Trainer:
    """A run on its way.

    Attributes:
        task: what is trained.
        processes: this one among those that train together.
        step: takes a step.
        state: what changes.
        log: None in all processes but the first.
        progress: the bar, or lines.
        stop: whether this process was asked to end.
        callbacks: the caller's.
        seconds: of the steps since the last line of the log, measuring and saving left out.
        waits: seconds of them that they waited for data.
    """

    task: Task[Any]
    processes: Processes
    step: Step
    state: State
    log: Log | None
    progress: Progress
    stop: Stop
    callbacks: Callbacks = field(default_factory=Callbacks)
    seconds: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """What is asked for everywhere."""
        self.config, self.plan, self.out = self.task.config, self.task.plan, Path(self.task.config.out)
        self.images_per_step = self.processes.count * self.config.batch_size * self.config.accumulate

    def announce(self, *, resumed: bool) -> None:
        """Say what is about to be done, at once, for the first measurement may be far away."""
        done, out = self.state.step, self.config.out
        if self.finished:
            more = f"more training is a new run, {self.plan.more}"
            print(f"{out}: the run is complete, with {done} steps; {more}", flush=True)
            return
        with suppress(OSError):  # the terminal is gone
            print(self.plan.about, file=sys.stderr, flush=True)
        if resumed:
            print(f"resuming at step {done} of {self.plan.iterations}", flush=True)

    @property
    def finished(self) -> bool:
        """Whether all steps are done and measured, or val has not become better for long enough."""
        return self._stale or (self.state.step >= self.plan.iterations and not self._unmeasured)

    @property
    def _unmeasured(self) -> bool:
        """Whether it is time to measure on val, and this step was not measured yet."""
        step, every = self.state.step, self.plan.eval_every
        due = every is not None and (step == self.plan.iterations or step % every == 0)
        return due and self.state.measured < step

    @property
    def _stale(self) -> bool:
        return self.plan.patience is not None and self.state.stale >= self.plan.patience

    def train(self) -> None:
        """Take the steps that are still to do.

        Raises:
            SegNextError: for data that cannot be read, a loss or gradient that is not finite, lack of memory, and a
                folder that cannot be written.
            Stopped: when a signal asked for it; the checkpoint holds the last step.
        """
        with self._writing():
            if self._unmeasured:  # what a run that was stopped while measuring still owes
                self._measure()
                self._save(again=True)
            self._end_if_asked()
        stream = self._batches()
        while not self.finished:
            started = time.perf_counter()
            parts = self._fetch(stream)
            self.waits.append(time.perf_counter() - started)
            taken = self._take(parts)
            self.seconds.append(time.perf_counter() - started)
            with self._writing():
                self._after(taken)
                self._end_if_asked()
        if self._stale and self.processes.main:
            measured = f"val has not become better for {self.plan.patience} measurements"
            print(f"{measured}: the run ends at step {self.state.step} of {self.plan.iterations}", flush=True)

    def _after(self, taken: Taken) -> None:
        """Take the step into the state, and log, measure and save when it is time."""
        self.state.average.update(self.state.model, self.state.step)
        self.state.step += 1
        self.state.losses.append(taken.loss)
        self.progress.update(self.state.step, taken.loss, taken.lr, sum(self.waits) / sum(self.seconds))
        last = self.state.step == self.plan.iterations
        if last or self.state.step % self.config.log_every == 0:
            self._write(taken)
        if self.callbacks.on_step is not None and self.processes.main:
            self.callbacks.on_step(self.state.step, taken)
        if self._unmeasured:
            self._measure()
        if self.finished or last or self.state.step % self.config.save_every == 0:
            self._save()

    def _write(self, taken: Taken) -> None:
        """A line of the log: means over the steps since the last one."""
        mean = sum(self.state.losses) / len(self.state.losses)
        seconds = sum(self.seconds) / (len(self.seconds) * self.images_per_step)
        if self.log is not None:
            self.log.write(
                "train",
                self.state.step,
                loss=mean,
                lr=taken.lr,
                grad_norm=taken.grad_norm,
                seconds_per_image=round(seconds, 4),
                waiting=round(sum(self.waits) / sum(self.seconds), 4),
            )
        self.state.losses.clear()
        self.seconds.clear()
        self.waits.clear()

    def _measure(self) -> None:
        """Measure on val, unless the run is to stop meanwhile."""
        with self._saving():
            counts = self._counts()
            if counts is not None:
                self._take_in(self.task.metrics(counts))

    def _counts(self) -> Tensor | None:
        """What all processes count on their parts of val; None when one of them was asked to stop meanwhile."""

        def watch(done: int, total: int) -> None:
            self.progress.validating(done, total)
            if self.stop:
                raise _BrokenOffError

        counts = None
        with suppress(_BrokenOffError):
            counts = self.task.count(self.state.average.state, watch).to(self.config.device)
        return None if self._any(counts is None or bool(self.stop)) or counts is None else self.processes.sum(counts)

    def _take_in(self, metrics: dict[str, Any]) -> None:
        """Log a measurement; the best weights so far become best.safetensors."""
        state, (key, name) = self.state, self.task.score
        score = math.nan if metrics[key] is None else metrics[key]
        state.metrics, state.measured = metrics, state.step
        state.stale += 1
        if self.log is not None:
            self.log.write("val", state.step, **metrics)
        if better(score, state.best):
            state.best, state.stale = score, 0
            if self.processes.main:
                self.task.save(state, self.out / "best.safetensors")
        if self.log is not None:
            self.task.show(state, self.log)
        self.progress.validated(name, score, state.best)
        if self.callbacks.on_eval is not None and self.processes.main:
            self.callbacks.on_eval(state.step, metrics)

    def _save(self, *, again: bool = False) -> None:
        """Write last.safetensors, then state.pt, from which the run can go on; a step that is saved only if `again`."""
        if again or self.state.saved < self.state.step:
            if self.processes.main:
                self.task.save(self.state, self.out / "last.safetensors")
                self.state.save(self.out / "state.pt")
            self.state.saved = self.state.step
            if self.plan.eval_every is None:
                self.progress.report()

    def _any(self, mine: bool) -> bool:
        """Whether it is so in any process."""
        return bool(self.processes.sum(torch.tensor(float(mine), device=self.config.device)).item())

    def _end_if_asked(self) -> None:
        """Save and end, when any process was asked to."""
        if not self._any(bool(self.stop)) or self.finished:
            return
        self._save()
        self.stop.signal = self.stop.signal or signal.SIGTERM
        raise Stopped(
            f"{self.config.out}: ended by {self.stop.name} at step {self.state.step} of {self.plan.iterations}; "
            f"go on with --resume {quoted(self.config.out)}",
            self.stop.signal,
        )

    def _samples(self, step: int) -> list[range]:
        return samples_of(step, self.processes, self.config.batch_size, self.config.accumulate)

    def _batches(self) -> Iterator[Batch]:
        steps = range(self.state.step, self.plan.iterations)
        numbers = (number for step in steps for part in self._samples(step) for number in part)
        return batches(self.task.samples, numbers, self.config.batch_size, self.config.workers)

    def _fetch(self, stream: Iterator[Batch]) -> list[Batch]:
        """The parts of the next step."""
        with self._saving():
            return [next(stream) for _ in range(self.config.accumulate)]

    def _take(self, parts: list[Batch]) -> Taken:
        try:
            with watching_memory(self.config, self.plan.smaller_input, self.state.step + 1, self._kept()):
                return self.step(parts, self.state.step)
        except NotFiniteError as error:
            raise SegNextError(self._not_finite(error)) from error
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise SegNextError(
                f"{self.config.out}: in the last stage BatchNorm has a single value, and no variance; raise batch_size "
                f"from {self.config.batch_size}, or the size of the network's input"
            ) from error

    def _not_finite(self, error: NotFiniteError) -> str:
        samples = self._samples(self.state.step)
        names = [self.task.samples.name(number) for part in error.parts for number in samples[part]]
        files = ", ".join(dict.fromkeys(names)) or "a batch of another process"
        precision = "" if self.config.precision == "fp32" else ", use --precision fp32"
        return (
            f"{self.config.out}: the {error.what} is {error.value} at step {self.state.step + 1}, for {files}; "
            f"{self._kept()}: look at this data, lower optimizer.lr, set optimizer.clip_norm{precision}"
        )

    def _kept(self) -> str:
        saved = self.state.saved
        return f"the checkpoint of step {saved} is kept" if saved else "there is no checkpoint yet"

    @contextmanager
    def _saving(self) -> Iterator[None]:
        """Before an error in the data ends the run save it, so that nothing is lost; one process alone can do so."""
        try:
            yield
        except SegNextError as error:
            if self.processes.count > 1 or not self.state.step:
                raise
            with self._writing():
                self._save()
            raise SegNextError(
                f"{error}; the run is saved at step {self.state.step}, go on with --resume {quoted(self.config.out)}"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a full disk, or a folder that cannot be written any more, into one sentence."""
        try:
            yield
        except OSError as error:
            file = f"{error.filename}: " if error.filename else ""
            raise SegNextError(
                f"{self.config.out}: cannot be written at step {self.state.step} ({file}{error.strerror or error}); "
                f"{self._kept()}: make room or mend the folder's rights, then go on with "
                f"--resume {quoted(self.config.out)}"
            ) from error


def better(score: float, best: float) -> bool:
    """Whether a measurement is the best so far; one of nothing (NaN) is if all before were such too."""
    return not score <= best and not (math.isnan(score) and best >= 0)


def samples_of(step: int, processes: Processes, batch_size: int, accumulate: int) -> list[range]:
    """Numbers of the samples of this process in step `step` (from 0), part by part.

    A step takes the next samples in their order: the first part of every process, then the second of every, ...
    """
    at_once = processes.count * batch_size
    first = step * at_once * accumulate + processes.rank * batch_size
    return [range(start, start + batch_size) for start in range(first, first + at_once * accumulate, at_once)]
