"""A run, from its settings to its results."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import torch

from segnext.allocator import keep_pages
from segnext.files import remove_leftovers
from segnext.training.config import Settings
from segnext.training.folder import new_folder, require_new, write_recipe
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
from segnext.training.task import Task
from segnext.training.trainer import Trainer

C = TypeVar("C", bound=Settings)
NewTask = Callable[[C, Processes, bool], Task[C]]  # of settings with device and batch decided; whether one is resumed


def carry_out(config: C, new_task: NewTask[C], *, resume: bool) -> Path:
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
    while True:
        try:
            with reproducible(config.reproducible):
                _attempt(config, new_task, processes, resume)
            return Path(config.out)
        except OutOfMemoryError as error:
            if not config.fit_memory or error.less is None or processes.count > 1:
                raise
            config, resume = error.less, True
        free_memory()
        print(f"out of memory: now batch_size {config.batch_size} and accumulate {config.accumulate}", flush=True)
        write_recipe(config)


def _attempt(config: C, new_task: NewTask[C], processes: Processes, resume: bool) -> None:
    out, main = Path(config.out), processes.main
    if main and not resume:
        require_new(out)
    config = decide(config, processes, resume)
    with processes.joined(config.device):
        torch.manual_seed(config.seed)
        task = new_task(config, processes, resume)
        config, iterations = task.config, task.plan.iterations
        state, step = _state(task, processes, saved_state(out, processes, resume=resume))
        with ExitStack() as stack:
            if main and not resume:
                stack.enter_context(new_folder(config, begun=lambda: state.step > 0))
            if main:
                remove_leftovers(out)
            log = stack.enter_context(closing(Log(out, state.step))) if main else None
            stop = stack.enter_context(stopping(loud=main, again=processes.count == 1))
            images = processes.count * config.batch_size * config.accumulate
            progress = Progress(iterations, state.step, images, shown=main)
            trainer = Trainer(task, processes, step, state, log, progress, stop)
            if main:
                trainer.announce(resumed=resume)
            stack.enter_context(progress)
            trainer.train()
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
