"""A run, from its settings to its results."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import torch

from segnext.allocator import keep_pages
from segnext.training.compiling import compiling_told
from segnext.training.config import Settings
from segnext.training.fingerprint import fingerprints, tell_changes
from segnext.training.folder import RunFolder, write_recipe
from segnext.training.log import Log
from segnext.training.memory import OutOfMemoryError, free_memory
from segnext.training.optim import Average
from segnext.training.processes import Processes
from segnext.training.progress import Progress
from segnext.training.reproducible import reproducible
from segnext.training.start import decide, place
from segnext.training.state import State, saved_state
from segnext.training.step import Step
from segnext.training.stop import stopping
from segnext.training.task import Callbacks, Task
from segnext.training.trackers import trackers
from segnext.training.trainer import Trainer

C = TypeVar("C", bound=Settings)
NO_CALLBACKS = Callbacks()
NewTask = Callable[[C, Processes, bool], Task[C]]  # of settings with device and batch decided; whether one is resumed


def carry_out(config: C, new_task: NewTask[C], *, resume: bool, callbacks: Callbacks = NO_CALLBACKS) -> Path:
    """Train what `new_task` gives, or go on with the run in the folder `out`, as if it had never stopped.

    Started by torchrun, it is one of several processes that train together. Ctrl-C, SIGTERM and SIGHUP end it after
    the step that it is in, with a checkpoint. With `fit_memory`, it begins again with a smaller batch when memory runs
    out.

    Returns:
        The run's folder.

    Raises:
        SegNextError: when the folder holds a run already and it is not to be resumed, for data that cannot be trained
            with, a loss or gradient that is not finite, lack of memory, and a folder that cannot be written.
        Stopped: a KeyboardInterrupt, when a signal ended the run.
    """
    keep_pages()
    processes = Processes.of_torchrun()
    with RunFolder(Path(config.out), resume=resume, writes=processes.main) as folder:
        while True:
            try:
                with reproducible(config.reproducible):
                    _attempt(config, new_task, processes, folder, callbacks)
                return folder.out
            except OutOfMemoryError as error:
                if not config.fit_memory or error.less is None or processes.count > 1:
                    raise
                config = error.less
            free_memory()
            print(f"out of memory: now batch_size {config.batch_size} and accumulate {config.accumulate}", flush=True)
            write_recipe(config)


def _attempt(config: C, new_task: NewTask[C], processes: Processes, folder: RunFolder, callbacks: Callbacks) -> None:
    out, main, resume = folder.out, processes.main, folder.resume
    config = decide(config, processes, resume)
    with processes.joined(config.device):
        torch.manual_seed(config.seed)
        task = new_task(config, processes, resume)
        config, iterations = task.config, task.plan.iterations
        state, step = _state(task, processes, saved_state(out, processes, resume=resume))
        folder.begin(config)
        if main:
            _look_at_files(task, state)
        with ExitStack() as stack:
            log = stack.enter_context(closing(Log(out, state.step, trackers(config)))) if main else None
            stop = stack.enter_context(stopping(loud=main, again=processes.count == 1))
            images = processes.count * config.batch_size * config.accumulate
            progress = Progress(iterations, state.step, images, shown=main)
            trainer = Trainer(task, processes, step, state, log, progress, stop, callbacks)
            if main:
                trainer.announce(resumed=resume)
            stack.enter_context(progress)
            if main and config.device == "cpu":
                stack.enter_context(compiling_told())
            try:
                trainer.train()
            finally:
                folder.begun |= state.step > 0
        if main:
            task.draw()


def _state(task: Task[C], processes: Processes, saved: dict[str, object] | None) -> tuple[State, Step]:
    """Network and optimiser as the run begins, or as they were saved."""
    config, model = task.config, task.model
    origin = task.start() if saved is None else {}
    place(model, config, processes)
    step = Step(config, model, task.loss, task.factor, processes)
    state = State(model, Average(model, config.ema), step.optimizer, step.scaler, origin=origin)
    if saved is not None:
        state.load(saved, Path(config.out) / "state.pt")
    return state, step


def _look_at_files(task: Task[C], state: State) -> None:
    """Note what the run reads, and of a resumed one tell what has changed since."""
    files, data = task.files(), task.config.data
    found = fingerprints(files, data)
    if len(state.files):
        tell_changes(state.files, found, files, data)
    state.files = found
