"""The steps of a run, and what surrounds them: log, measurements, checkpoints, and clean ends."""

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch

from segnext.data.crops import batches
from segnext.errors import SegNextError
from segnext.files import remove_leftovers
from segnext.training.config import RunConfig
from segnext.training.log import Log
from segnext.training.memory import watching_memory
from segnext.training.plan import Plan, RunResults, RunSamples
from segnext.training.processes import Processes
from segnext.training.progress import Progress
from segnext.training.start import write_recipe
from segnext.training.state import State
from segnext.training.step import Batch, NotFiniteError, Step, Taken
from segnext.training.stop import Stop, Stopped, stopping


def carry_out(
    config: RunConfig,
    plan: Plan,
    processes: Processes,
    step: Step,
    state: State,
    samples: RunSamples,
    results_with: Callable[[Log | None], RunResults],
    *,
    resume: bool,
) -> None:
    """Make the run's folder, or tidy it up, and take all steps that are still to do.

    The folder of a new run that fails before its first step is done is taken back, so that the next run may have it.

    Args:
        config: with everything decided.
        plan: length and measurements.
        processes: this one among those that train together.
        step: takes a step.
        state: what changes; of a resumed run, as it was saved.
        samples: what is trained on.
        results_with: gives what the run leaves behind, for its log, which is None in all processes but the first.
        resume: whether the folder holds the run already.
    """
    out = Path(config.out)
    with ExitStack() as stack:
        if processes.main and not resume:
            stack.enter_context(_new_folder(config, state))
        if processes.main:
            remove_leftovers(out)
        log = stack.enter_context(closing(Log(out, state.step))) if processes.main else None
        images_per_step = processes.count * config.batch_size * config.accumulate
        progress = Progress(plan.iterations, state.step, images_per_step, shown=processes.main)
        results = results_with(log)
        stop = stack.enter_context(stopping(loud=processes.main, again=processes.count == 1))
        run = Run(config, plan, processes, step, state, samples, results, log, progress, stop)
        if processes.main:
            _announce(run, resume=resume)
        stack.enter_context(progress)
        run.go()
    if processes.main:
        results.draw()


@contextmanager
def _new_folder(config: RunConfig, state: State) -> Iterator[None]:
    """Make a new run's folder; of a run that fails in its first step nothing stays in the way of the next one."""
    out = Path(config.out)
    there = out.exists()
    write_recipe(config)
    try:
        yield
    except SegNextError:
        if not state.step and there:  # with what else is in it; without config.yaml it is no run's folder
            (out / "config.yaml").unlink(missing_ok=True)
        elif not state.step:
            shutil.rmtree(out, ignore_errors=True)
        raise


def _announce(run: "Run", *, resume: bool) -> None:
    """Say what is about to be done, at once, for the first measurement may be far away."""
    done, out = run.state.step, run.config.out
    if run.finished:
        print(f"{out}: the run is complete, with {done} steps; more training is a new run, {run.plan.more}", flush=True)
        return
    with suppress(OSError):  # the terminal is gone
        print(run.plan.about, file=sys.stderr, flush=True)
    if resume:
        print(f"resuming at step {done} of {run.plan.iterations}", flush=True)


@dataclass
class Run:
    """A run on its way.

    Attributes:
        config: with everything decided.
        plan: its length and measurements.
        processes: this one among those that train together.
        step: takes a step.
        state: what changes.
        samples: what is trained on.
        results: what the run leaves behind.
        log: None in all processes but the first.
        progress: the bar, or lines.
        stop: whether this process was asked to end.
        seconds: of the steps since the last line of the log, measuring and saving left out.
    """

    config: RunConfig
    plan: Plan
    processes: Processes
    step: Step
    state: State
    samples: RunSamples
    results: RunResults
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
        return self._stale or self.state.step >= self.plan.iterations

    @property
    def _stale(self) -> bool:
        return self.plan.patience is not None and self.state.stale >= self.plan.patience

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
            measured = f"val has not become better for {self.plan.patience} measurements"
            print(f"{measured}: the run ends at step {self.state.step} of {self.plan.iterations}", flush=True)

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
        step, every = self.state.step, self.plan.eval_every
        due = every is not None and (step == self.plan.iterations or step % every == 0)
        if due and self.state.measured < step:
            with self._saving():
                self.results.validate(self.state, self.progress, self.stop)

    def _save(self) -> None:
        if self.state.saved < self.state.step:
            self.results.save(self.state)
            self.state.saved = self.state.step
            if self.plan.eval_every is None:
                self.progress.report()

    def _end_if_asked(self) -> None:
        """Save and end, when any process was asked to."""
        asked = torch.tensor(float(bool(self.stop)), device=self.config.device)
        if not self.processes.sum(asked).item() or self.finished:
            return
        self._save()
        self.stop.signal = self.stop.signal or signal.SIGTERM
        raise Stopped(
            f"{self.config.out}: ended by {self.stop.name} at step {self.state.step} of {self.plan.iterations}; "
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
        steps = range(self.state.step, self.plan.iterations)
        numbers = (number for step in steps for part in self._samples(step) for number in part)
        return batches(self.samples, numbers, self.config.batch_size, self.config.workers)

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
        names = [self.samples.name(number) for part in error.parts for number in samples[part]]
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
