"""The steps of a run, and what surrounds them: log, measurements, checkpoints, and clean ends."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from segnext.data.crops import Crops, batches
from segnext.errors import SegNextError
from segnext.training.config import TrainConfig
from segnext.training.log import Log
from segnext.training.memory import watching_memory
from segnext.training.processes import Processes
from segnext.training.progress import Progress
from segnext.training.results import Results
from segnext.training.state import State
from segnext.training.step import Batch, NotFiniteError, Taken, TrainStep
from segnext.training.stop import Stop, Stopped


@dataclass
class Run:
    """A run on its way.

    Attributes:
        config: with everything decided.
        processes: this one among those that train together.
        step: takes a step.
        state: what changes.
        crops: the samples.
        results: what the run leaves behind.
        log: None in all processes but the first.
        progress: the bar, or lines.
        stop: whether this process was asked to end.
        seconds: of the steps since the last line of the log, measuring and saving left out.
    """

    config: TrainConfig
    processes: Processes
    step: TrainStep
    state: State
    crops: Crops
    results: Results
    log: Log | None
    progress: Progress
    stop: Stop
    seconds: list[float] = field(default_factory=list)

    @property
    def images_per_step(self) -> int:
        """Pictures in an optimiser step, on all processes."""
        return self.processes.count * self.config.batch_size * self.config.accumulate

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or val has not become better for long enough."""
        return self._stale or self.state.step >= self.config.iterations

    @property
    def _stale(self) -> bool:
        return self.config.patience is not None and self.state.stale >= self.config.patience

    def go(self) -> None:
        """Take the steps that are still to do.

        Raises:
            SegNextError: for data that cannot be read, a loss or gradient that is not finite, lack of memory, and a
                folder that cannot be written.
            Stopped: when a signal asked for it; the checkpoint holds the last step.
        """
        with self._writing():
            self._measure()  # what a run that was stopped while measuring still owes
            self._end_if_asked()
        stream = self._batches()
        while not self.finished:
            started = time.perf_counter()
            taken = self._take(self._fetch(stream))
            self.seconds.append(time.perf_counter() - started)
            with self._writing():
                self._after(taken)
                self._end_if_asked()
        if self._stale and self.processes.main:
            measured = f"val has not become better for {self.config.patience} measurements"
            print(f"{measured}: the run ends at step {self.state.step} of {self.config.iterations}", flush=True)

    def _after(self, taken: Taken) -> None:
        """Take the step into the state, and log, measure and save when it is time."""
        self.state.average.update(self.state.model, self.state.step)
        self.state.step += 1
        self.state.losses.append(taken.loss)
        self.progress.update(self.state.step, taken.loss, taken.lr)
        if self.finished or self.state.step % self.config.log_every == 0:
            self._write(taken)
        self._measure()
        if self.finished or self.state.step % self.config.save_every == 0:
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
            )
        self.state.losses.clear()
        self.seconds.clear()

    def _measure(self) -> None:
        """Measure on val when it is time and this step was not measured yet."""
        step = self.state.step
        due = step == self.config.iterations or step % self.config.eval_every == 0
        if self.config.val_split is not None and due and self.state.measured < step:
            with self._saving():
                self.results.validate(self.state, self.progress, self.stop)

    def _save(self) -> None:
        if self.state.saved < self.state.step:
            self.results.save(self.state)
            self.state.saved = self.state.step
            if self.config.val_split is None:
                self.progress.report()

    def _end_if_asked(self) -> None:
        """Save and end, when any process was asked to."""
        asked = torch.tensor(float(bool(self.stop)), device=self.config.device)
        if not self.processes.sum(asked).item() or self.finished:
            return
        self._save()
        self.stop.signal = self.stop.signal or signal.SIGTERM
        raise Stopped(
            f"{self.config.out}: ended by {self.stop.name} at step {self.state.step} of {self.config.iterations}; "
            f"go on with --resume {self.config.out}",
            self.stop.signal,
        )

    def _samples(self, step: int) -> list[range]:
        """Numbers of the samples of this process in step `step` (from 0), part by part.

        A step takes the next samples in their order: the first part of every process, then the second of every, ...
        """
        count, size = self.processes.count, self.config.batch_size
        first = step * self.images_per_step + self.processes.rank * size
        starts = (first + part * count * size for part in range(self.config.accumulate))
        return [range(start, start + size) for start in starts]

    def _batches(self) -> Iterator[Batch]:
        steps = range(self.state.step, self.config.iterations)
        numbers = (number for step in steps for part in self._samples(step) for number in part)
        return batches(self.crops, numbers, self.config.batch_size, self.config.workers)

    def _fetch(self, stream: Iterator[Batch]) -> list[Batch]:
        """The parts of the next step."""
        with self._saving():
            return [next(stream) for _ in range(self.config.accumulate)]

    def _take(self, parts: list[Batch]) -> Taken:
        try:
            with watching_memory(self.config, self.state.step + 1):
                return self.step(parts, self.state.step)
        except NotFiniteError as error:
            raise SegNextError(self._not_finite(error)) from error

    def _not_finite(self, error: NotFiniteError) -> str:
        samples = self._samples(self.state.step)
        pairs = [self.crops.pair(number) for part in error.parts for number in samples[part]]
        files = ", ".join(dict.fromkeys(str(pair.image) for pair in pairs)) or "a batch of another process"
        precision = "" if self.config.precision == "fp32" else ", use --precision fp32"
        return (
            f"{self.config.out}: the {error.what} is {error.value} at step {self.state.step + 1}, for {files}; "
            f"{self._kept()}: look at these pictures and masks, lower optimizer.lr, set optimizer.clip_norm{precision}"
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
                f"{error}; the run is saved at step {self.state.step}, go on with --resume {self.config.out}"
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
                f"{self._kept()}: make room or mend the folder's rights, then go on with --resume {self.config.out}"
            ) from error
