"""The training loop."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from segnext.allocator import keep_pages
from segnext.data.crops import Crops, batches
from segnext.data.readers.open import open_data
from segnext.data.sampling import ClassSampler
from segnext.errors import SegNextError
from segnext.files import remove_leftovers
from segnext.model.config import ModelConfig, preset
from segnext.model.network import SegNeXt, build
from segnext.preprocess import Preprocess
from segnext.training.config import TrainConfig
from segnext.training.log import Log
from segnext.training.losses.total import TrainLoss, training_loss
from segnext.training.optim import Average, build_optimizer, lr_factor
from segnext.training.progress import Progress
from segnext.training.results import Results
from segnext.training.start import class_counts, load_encoder, resolve, start_folder
from segnext.training.state import State

AMP_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

Batch = tuple[Tensor, Tensor]  # pictures (B, 3, H, W) float32; masks (B, H, W) int64 or (B, classes, H, W) uint8


def train(config: TrainConfig, *, resume: bool = False) -> Path:
    """Run `config`, or go on with the run in its folder `out`, as if it had never stopped.

    Returns:
        The run's folder: config.yaml, best.safetensors and last.safetensors (averaged weights), state.pt
        (what resuming needs), log.jsonl, tensorboard/, and at the end curves.png and examples.png.

    Raises:
        SegNextError: when the folder holds a run already and it is not to be resumed, for data that cannot
            be trained with, and when the loss is not finite.
    """
    keep_pages()
    out = Path(config.out)
    folder = open_data(Path(config.data), config.format)
    preprocess = Preprocess(short_side=config.short_side)
    pairs = tuple(folder.pairs(config.train_split))
    val_pairs = folder.pairs(config.val_split) if config.val_split is not None else []
    config, crop = resolve(config, pairs, folder.labels)
    counts = class_counts(config, pairs, folder.labels)
    sampler = ClassSampler(config.sampling, counts) if config.sampling.class_share and counts is not None else None
    crops = Crops(pairs, folder.labels, preprocess, crop, config.augment, config.seed, sampler)

    torch.manual_seed(config.seed)
    shape = _model_config(config, len(folder.labels))
    resuming = resume and (out / "state.pt").exists()
    model = _build_model(config, shape, resuming)
    step = TrainStep(config, model, training_loss(config, folder.labels, counts))
    state = State(model, Average(model, config.ema), step.optimizer, step.scaler)
    if resume:
        remove_leftovers(out)
        if resuming:
            state.load(out / "state.pt")
    else:
        start_folder(config)
    images_per_step = config.batch_size * config.accumulate
    with closing(Log(out, state.step)) as log, Progress(config.iterations, state.step, images_per_step) as progress:
        results = Results(config, shape, crops, val_pairs, log)
        _run(config, step, state, crops, results, log, progress)
    results.draw()
    return out


def _run(
    config: TrainConfig,
    step: "TrainStep",
    state: State,
    crops: Crops,
    results: Results,
    log: Log,
    progress: Progress,
) -> None:
    """Take the steps that are still to do."""
    images_per_step = config.batch_size * config.accumulate
    seconds: list[float] = []  # of the steps since the last line of the log, measuring and saving left out
    started = time.perf_counter()
    for parts in _steps(config, crops, state.step):
        loss, lr = step(parts, state.step)
        if not math.isfinite(loss):
            raise SegNextError(
                f"{config.out}: the loss is {loss} at step {state.step + 1}; the last checkpoint is kept: "
                "lower optimizer.lr, set optimizer.clip_norm, or use --precision fp32"
            )
        state.average.update(state.model, state.step)
        state.step += 1
        state.losses.append(loss)
        seconds.append(time.perf_counter() - started)
        progress.update(state.step, loss, lr)
        last = state.step == config.iterations
        if last or state.step % config.log_every == 0:
            mean = sum(state.losses) / len(state.losses)
            seconds_per_image = sum(seconds) / (len(seconds) * images_per_step)
            log.write("train", state.step, loss=mean, lr=lr, seconds_per_image=round(seconds_per_image, 4))
            state.losses.clear()
            seconds.clear()
        if config.val_split is not None and (last or state.step % config.eval_every == 0):
            results.validate(state, progress)
        if last or state.step % config.save_every == 0:
            results.save(state)
        started = time.perf_counter()


class TrainStep:
    """One optimiser step: forward and backward over its parts, clipping, AdamW."""

    def __init__(self, config: TrainConfig, model: SegNeXt, criterion: TrainLoss) -> None:
        self.config = config
        self.model = model
        self.criterion = criterion
        self.device = torch.device(config.device)
        self.optimizer = build_optimizer(model, config.optimizer)
        self.scaler = torch.amp.GradScaler(config.device, enabled=config.precision == "fp16")

    def __call__(self, parts: Sequence[Batch], step: int) -> tuple[float, float]:
        """Loss and learning rate of step `step` (from 0), which has `accumulate` parts."""
        config = self.config
        factor = lr_factor(step, config.iterations, config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        total = 0.0
        for images, masks in parts:
            loss = self.loss(images, masks) / len(parts)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        if config.optimizer.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return total, config.optimizer.lr * factor

    def loss(self, images: Tensor, masks: Tensor) -> Tensor:
        """The loss of one part."""
        images = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        masks = masks.to(self.device, non_blocking=True)
        amp_type = AMP_TYPES.get(self.config.precision)
        with torch.autocast(self.device.type, amp_type, enabled=amp_type is not None):
            logits = self.model(images)
        return self.criterion(logits, masks)


def _model_config(config: TrainConfig, num_classes: int) -> ModelConfig:
    shape = preset(config.model, num_classes=num_classes)
    return shape if config.drop_path is None else replace(shape, drop_path=config.drop_path)


def _build_model(config: TrainConfig, shape: ModelConfig, resuming: bool) -> SegNeXt:
    model = build(shape)
    if config.encoder_weights is not None and not resuming:  # a resumed run has its own weights
        load_encoder(model, config.encoder_weights)
    model.to(config.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for generator in model.random_generators():
        generator.manual_seed(config.seed)
    return model.train()


def _steps(config: TrainConfig, crops: Crops, done: int) -> Iterator[list[Batch]]:
    """For each step still to do, its `accumulate` batches."""
    per_step = config.batch_size * config.accumulate
    stream = batches(crops, done * per_step, config.iterations * per_step, config.batch_size, config.workers)
    for _ in range(done, config.iterations):
        yield [next(stream) for _ in range(config.accumulate)]
