"""A pre-training run, from its settings to its results."""

import math
from pathlib import Path

import torch

from segnext.errors import SegNextError
from segnext.model.classifier import create_classifier
from segnext.pretraining.augment import require_kornia
from segnext.pretraining.config import PretrainConfig
from segnext.pretraining.folder import ImageFolder
from segnext.pretraining.results import Results
from segnext.pretraining.samples import TrainSamples
from segnext.pretraining.step import PretrainStep
from segnext.training.log import Log
from segnext.training.memory import fitting
from segnext.training.optim import Average
from segnext.training.plan import Plan
from segnext.training.processes import Processes
from segnext.training.run import carry_out
from segnext.training.start import about, decide, place, require_new
from segnext.training.state import State, saved_state


def pretrain(config: PretrainConfig, *, resume: bool = False) -> Path:
    """Run `config`, or go on with the run in its folder `out`, as if it had never stopped.

    Started by torchrun, it is one of several processes that train together. Ctrl-C, SIGTERM and SIGHUP end it after
    the step that it is in, with a checkpoint.

    Returns:
        The run's folder: config.yaml, best.safetensors and last.safetensors (averaged weights of encoder and
        classifier), state.pt (what resuming needs), log.jsonl, tensorboard/, and at the end curves.png.

    Raises:
        SegNextError: when the folder holds a run already and it is not to be resumed, for data that cannot be trained
            with, a loss or gradient that is not finite, lack of memory, and a folder that cannot be written.
        Stopped: a KeyboardInterrupt, when a signal ended the run.
    """
    return fitting(config, resume, _pretrain)


def total_steps(config: PretrainConfig, pictures: int) -> int:
    """Optimiser steps of the whole run.

    Args:
        config: the run, with its total batch decided.
        pictures: in a pass over the data.

    Raises:
        SegNextError: when the run is shorter than one step.
    """
    assert config.total_batch is not None
    steps = config.epochs * pictures // config.total_batch
    if steps < 1:
        raise SegNextError(
            f"{config.data}: {config.epochs} passes over {pictures} pictures are less than one step of "
            f"{config.total_batch}; lower batch_size or accumulate"
        )
    return steps


def _pretrain(config: PretrainConfig, processes: Processes, resume: bool) -> Path:
    out = Path(config.out)
    if processes.main and not resume:
        require_new(out)
    require_kornia(config.augment)
    folder = ImageFolder.open(Path(config.data))
    config = decide(config, processes, resume)
    iterations = total_steps(config, len(folder.train))
    samples = TrainSamples(folder.train, config.size, config.augment, config.seed)
    with processes.joined(config.device):
        torch.manual_seed(config.seed)
        saved = saved_state(out, processes, resume=resume)
        model = create_classifier(config.model, len(folder.classes), config.drop_path).train()
        place(model, config, processes)
        step = PretrainStep(config, model, iterations, processes)
        state = State(model, Average(model, config.ema), step.optimizer, step.scaler)
        if saved is not None:
            state.load(saved, out / "state.pt")
        # Rounded up, so that the last measurement is the run's end and not some steps before it too.
        eval_every = math.ceil(iterations * config.eval_every / config.epochs)
        pictures, size = (len(folder.train), len(folder.val)), (config.size, config.size)
        line = about(config, Path(config.data).name, pictures, len(folder.classes), iterations, size)
        smaller_input = f"a --size smaller than {config.size}"
        plan = Plan(iterations, eval_every, line, smaller_input, "with more --epochs and another --out")

        def results_with(log: Log | None) -> Results:
            return Results(config, folder, log, processes)

        carry_out(config, plan, processes, step, state, samples, results_with, resume=resume)
    return out
