"""A training run, from its settings to its results."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from segnext.data.crops import Crops
from segnext.data.formats.public.open import open_data
from segnext.data.sampling import ClassSampler
from segnext.labels import Labels
from segnext.model.config import Architecture, NetworkConfig, preset
from segnext.model.families import build
from segnext.model.network import Network
from segnext.training.config import TrainConfig
from segnext.training.data import check_data, class_counts, prepare
from segnext.training.log import Log
from segnext.training.losses.total import training_loss
from segnext.training.memory import fitting
from segnext.training.optim import Average
from segnext.training.plan import Plan
from segnext.training.processes import Processes
from segnext.training.results import Results
from segnext.training.run import carry_out
from segnext.training.start import about, freeze, place, require_new, resolve, start_weights
from segnext.training.state import State, saved_state
from segnext.training.step import TrainStep


def train(config: TrainConfig, *, resume: bool = False) -> Path:
    """Run `config`, or go on with the run in its folder `out`, as if it had never stopped.

    Started by torchrun, it is one of several processes that train together. Ctrl-C, SIGTERM and SIGHUP end it after
    the step that it is in, with a checkpoint.

    Returns:
        The run's folder: config.yaml, best.safetensors and last.safetensors (averaged weights), state.pt
        (what resuming needs), log.jsonl, tensorboard/, and at the end curves.png, examples.png and report.html.

    Raises:
        SegNextError: when the folder holds a run already and it is not to be resumed, for data that cannot be trained
            with, a loss or gradient that is not finite, lack of memory, and a folder that cannot be written.
        Stopped: a KeyboardInterrupt, when a signal ended the run.
    """
    return fitting(config, resume, _train)


def _train(config: TrainConfig, processes: Processes, resume: bool) -> Path:
    out = Path(config.out)
    if processes.main and not resume:
        require_new(out)
    folder = open_data(Path(config.data), config.format)
    pairs = tuple(folder.pairs(config.train_split))
    val_pairs = folder.pairs(config.val_split) if config.val_split is not None else []
    config, crop = resolve(config, pairs, folder.labels, processes, resume)
    counts = class_counts(config, pairs, folder.labels)
    sampler = ClassSampler(config.sampling, counts) if config.sampling.class_share and counts is not None else None
    with processes.joined(config.device):
        if processes.main and config.check_data and not resume:
            check_data(folder, [split for split in (config.train_split, config.val_split) if split is not None])
        preprocess = prepare(config, folder, pairs, processes, resume=resume)
        crops = Crops(pairs, folder.labels, preprocess, crop, config.augment, config.seed, sampler)
        torch.manual_seed(config.seed)
        saved = saved_state(out, processes, resume=resume)
        shape = _model_config(config, len(folder.labels), len(preprocess.mean))
        config.testing.require_fit(shape)
        model, origin = _build_model(config, shape, folder.labels, processes, resuming=saved is not None)
        step = TrainStep(config, model, training_loss(config, folder.labels, counts), processes)
        state = State(model, Average(model, config.ema), step.optimizer, step.scaler, origin=origin)
        if saved is not None:
            state.load(saved, out / "state.pt")
        eval_every = None if config.val_split is None else config.eval_every
        smaller_input = f"a --crop smaller than [{crop[0]},{crop[1]}]"
        pictures = len(pairs), len(val_pairs)
        line = about(config, folder.labels.name, pictures, len(folder.labels), config.iterations, crop)
        more = f"from its weights: segnext train --from {out} --out ANOTHER ..."
        plan = Plan(config.iterations, eval_every, line, smaller_input, more, config.patience)

        def results_with(log: Log | None) -> Results:
            return Results(config, shape, crops, val_pairs, log, processes)

        carry_out(config, plan, processes, step, state, crops, results_with, resume=resume)
    return out


def _model_config(config: TrainConfig, num_classes: int, in_channels: int) -> NetworkConfig:
    published = asdict(Architecture())
    changes = {name: value for name, value in asdict(config.architecture).items() if value != published[name]}
    shape = preset(config.model, num_classes=num_classes, in_channels=in_channels, **changes)
    return shape if config.drop_path is None else replace(shape, drop_path=config.drop_path)


def _build_model(
    config: TrainConfig, shape: NetworkConfig, labels: Labels, processes: Processes, *, resuming: bool
) -> tuple[Network, dict[str, object]]:
    """The network to train, and the provenance of what it starts from; a resumed run has its own weights."""
    model = build(shape)
    origin = {} if resuming else start_weights(model, config, labels, loud=processes.main)
    place(model, config, processes)
    freeze(model.train(), config.freeze)
    return model, origin
