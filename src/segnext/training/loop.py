"""A training run, from its settings to its results."""

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import torch

from segnext.allocator import keep_pages
from segnext.data.crops import Crops
from segnext.data.folder import Folder
from segnext.data.readers.open import open_data
from segnext.data.sampling import ClassSampler
from segnext.files import remove_leftovers
from segnext.labels import Labels
from segnext.model.config import ModelConfig, preset
from segnext.model.network import SegNeXt, build
from segnext.training.config import TrainConfig
from segnext.training.log import Log
from segnext.training.losses.total import training_loss
from segnext.training.memory import OutOfMemoryError, free_memory
from segnext.training.optim import Average
from segnext.training.processes import Processes
from segnext.training.progress import Progress
from segnext.training.reproducible import reproducible
from segnext.training.results import Results
from segnext.training.run import Run
from segnext.training.start import (
    check_data,
    class_counts,
    freeze,
    prepare,
    resolve,
    start_folder,
    start_weights,
    write_recipe,
)
from segnext.training.state import State, read_state
from segnext.training.step import TrainStep
from segnext.training.stop import stopping
from segnext.training.sync_norm import synchronise


def train(config: TrainConfig, *, resume: bool = False) -> Path:
    """Run `config`, or go on with the run in its folder `out`, as if it had never stopped.

    Started by torchrun, it is one of several processes that train together. Ctrl-C, SIGTERM and SIGHUP end it after
    the step that it is in, with a checkpoint.

    Returns:
        The run's folder: config.yaml, best.safetensors and last.safetensors (averaged weights), state.pt
        (what resuming needs), log.jsonl, tensorboard/, and at the end curves.png and examples.png.

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
                return _train(config, processes, resume)
        except OutOfMemoryError as error:
            if not config.fit_memory or error.less is None or processes.count > 1:
                raise
            config, resume = error.less, True
        free_memory()
        print(f"out of memory: now batch_size {config.batch_size} and accumulate {config.accumulate}", flush=True)
        write_recipe(config)


def _train(config: TrainConfig, processes: Processes, resume: bool) -> Path:
    folder = open_data(Path(config.data), config.format)
    pairs = tuple(folder.pairs(config.train_split))
    val_pairs = folder.pairs(config.val_split) if config.val_split is not None else []
    config, crop = resolve(config, pairs, folder.labels, processes, resume)
    counts = class_counts(config, pairs, folder.labels)
    sampler = ClassSampler(config.sampling, counts) if config.sampling.class_share and counts is not None else None
    out = Path(config.out)
    with processes.joined(config.device):
        if processes.main and config.check_data and not resume and isinstance(folder, Folder):
            check_data(folder, [split for split in (config.train_split, config.val_split) if split is not None])
        preprocess = prepare(config, folder, pairs, processes, resume=resume)
        crops = Crops(pairs, folder.labels, preprocess, crop, config.augment, config.seed, sampler)
        torch.manual_seed(config.seed)
        saved = read_state(out / "state.pt") if processes.main and resume and (out / "state.pt").exists() else None
        saved = processes.same(saved)
        shape = _model_config(config, len(folder.labels), len(preprocess.mean))
        model, origin = _build_model(config, shape, folder.labels, processes, resuming=saved is not None)
        step = TrainStep(config, model, training_loss(config, folder.labels, counts), processes)
        state = State(model, Average(model, config.ema), step.optimizer, step.scaler, origin=origin)
        if saved is not None:
            state.load(saved, out / "state.pt")
        if processes.main:
            if not resume:
                start_folder(config)
            remove_leftovers(out)
        with ExitStack() as stack:
            log = stack.enter_context(closing(Log(out, state.step))) if processes.main else None
            images_per_step = processes.count * config.batch_size * config.accumulate
            progress = Progress(config.iterations, state.step, images_per_step, shown=processes.main)
            results = Results(config, shape, crops, val_pairs, log, processes)
            stop = stack.enter_context(stopping(loud=processes.main, again=processes.count == 1))
            run = Run(config, processes, step, state, crops, results, log, progress, stop)
            if resume and processes.main:
                print(_resuming(run), flush=True)
            stack.enter_context(progress)
            run.go()
        if processes.main:
            results.draw()
    return out


def _resuming(run: Run) -> str:
    if run.finished:
        return f"{run.config.out}: the run is complete, with {run.state.step} steps; there is nothing to resume"
    return f"resuming at step {run.state.step} of {run.config.iterations}"


def _model_config(config: TrainConfig, num_classes: int, in_channels: int) -> ModelConfig:
    shape = preset(config.model, num_classes=num_classes, in_channels=in_channels)
    return shape if config.drop_path is None else replace(shape, drop_path=config.drop_path)


def _build_model(
    config: TrainConfig, shape: ModelConfig, labels: Labels, processes: Processes, *, resuming: bool
) -> tuple[SegNeXt, dict[str, object]]:
    """The network to train, and the provenance of what it starts from; a resumed run has its own weights."""
    model = build(shape)
    origin = {} if resuming else start_weights(model, config, labels, loud=processes.main)
    model.to(config.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if processes.count > 1:
        model.share_batches(processes.rank, processes.count)
        if config.sync_bn:
            synchronise(model, config.device)
    for generator in model.random_generators():
        generator.manual_seed(config.seed)
    freeze(model.train(), config.freeze)
    return model, origin
