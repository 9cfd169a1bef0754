"""The pre-training loop."""

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.allocator import keep_pages
from segnext.data.crops import batches
from segnext.errors import SegNextError
from segnext.files import remove_leftovers
from segnext.model.classifier import Classifier, create_classifier
from segnext.preprocess import Preprocess
from segnext.pretraining.augment import augment_batch, mix, require_kornia, soft_labels
from segnext.pretraining.config import CosineSchedule, PretrainConfig
from segnext.pretraining.folder import ImageFolder
from segnext.pretraining.results import Results
from segnext.pretraining.samples import TrainSamples
from segnext.training.log import Log
from segnext.training.loop import AMP_TYPES
from segnext.training.optim import Average, build_optimizer
from segnext.training.progress import Progress
from segnext.training.start import require_total_batch, resolve_device, start_folder
from segnext.training.state import State

Batch = tuple[int, Tensor, Tensor]  # number of the first sample, pictures (B, 3, S, S) uint8, labels (B,) int64


def pretrain(config: PretrainConfig, *, resume: bool = False) -> Path:
    """Run `config`, or go on with the run in its folder `out`, as if it had never stopped.

    Returns:
        The run's folder: config.yaml, best.safetensors and last.safetensors (averaged weights of encoder and
        classifier), state.pt (what resuming needs), log.jsonl, tensorboard/, and at the end curves.png.

    Raises:
        SegNextError: when the folder holds a run already and it is not to be resumed, for data that cannot be
            trained with, and when the loss is not finite.
    """
    keep_pages()
    out = Path(config.out)
    require_kornia(config.augment)
    folder = ImageFolder.open(Path(config.data))
    device, precision = resolve_device(config.device, config.precision)
    data = str(Path(config.data).resolve())  # so that the run can be resumed from any folder
    config = replace(config, data=data, device=device, precision=precision)
    require_total_batch(config, devices=1)
    steps = total_steps(config, len(folder.train))

    torch.manual_seed(config.seed)
    model = create_classifier(config.model, len(folder.classes), config.drop_path).to(config.device)
    model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    step = PretrainStep(config, model, steps)
    state = State(model, Average(model, config.ema), step.optimizer, step.scaler)
    if not resume:
        start_folder(out, asdict(config))
    else:
        remove_leftovers(out)
        if (out / "state.pt").exists():
            state.load(out / "state.pt")
    images_per_step = config.batch_size * config.accumulate
    with closing(Log(out, state.step)) as log, Progress(steps, state.step, images_per_step) as progress:
        results = Results(config, folder, log)
        _run(config, step, state, folder, results, log, progress)
    results.draw()
    return out


def total_steps(config: PretrainConfig, pictures: int) -> int:
    """Optimiser steps of the whole run.

    Raises:
        SegNextError: when the run is shorter than one step.
    """
    steps = config.epochs * pictures // (config.batch_size * config.accumulate)
    if steps < 1:
        raise SegNextError(
            f"{config.data}: {config.epochs} passes over {pictures} pictures are less than one step of batch_size "
            f"{config.batch_size} x accumulate {config.accumulate}; lower these"
        )
    return steps


def lr_factor(step: int, steps: int, warmup: int, schedule: CosineSchedule) -> float:
    """Learning rate of step `step` (from 0), relative to the peak, with `warmup` steps of warm-up."""
    if step < warmup:
        return schedule.warmup_start + (1.0 - schedule.warmup_start) * step / warmup
    return schedule.floor + (1.0 - schedule.floor) * 0.5 * (1.0 + math.cos(math.pi * step / steps))


class PretrainStep:
    """One optimiser step: augmentation, forward and backward over its parts, clipping, AdamW."""

    def __init__(self, config: PretrainConfig, model: Classifier, steps: int) -> None:
        self.config = config
        self.model = model
        self.steps = steps
        self.warmup = min(round(steps * config.schedule.warmup_epochs / config.epochs), steps // 10)
        self.preprocess = Preprocess()
        self.device = torch.device(config.device)
        self.optimizer = build_optimizer(model.encoder, model.head, config.optimizer)
        self.scaler = torch.amp.GradScaler(config.device, enabled=config.precision == "fp16")

    def __call__(self, parts: list[Batch], step: int) -> tuple[float, float]:
        """Loss and learning rate of step `step` (from 0), which has `accumulate` parts."""
        config = self.config
        factor = lr_factor(step, self.steps, self.warmup, config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        total = 0.0
        for first, images, labels in parts:
            loss = self.loss(first, images, labels) / len(parts)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        if config.optimizer.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return total, config.optimizer.lr * factor

    def loss(self, first: int, images: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy with the mixed labels; what is random in a batch follows from its first sample's number."""
        config = self.config
        random = np.random.Generator(np.random.PCG64([config.seed, 2, first]))
        images, labels = (x.to(self.device, non_blocking=True) for x in (images, labels))
        batch = augment_batch(images, self.preprocess, config.augment, random)
        batch, weight = mix(batch, config.augment, random)
        target = soft_labels(labels, weight, self.model.head.out_features, config.smoothing)
        amp_type = AMP_TYPES.get(config.precision)
        with torch.autocast(self.device.type, amp_type, enabled=amp_type is not None):
            logits = self.model(batch.contiguous(memory_format=torch.channels_last))
        return F.cross_entropy(logits.float(), target)


def _run(
    config: PretrainConfig,
    step: PretrainStep,
    state: State,
    folder: ImageFolder,
    results: Results,
    log: Log,
    progress: Progress,
) -> None:
    """Take the steps that are still to do."""
    images_per_step = config.batch_size * config.accumulate
    eval_every = max(1, round(step.steps * config.eval_every / config.epochs))
    seconds: list[float] = []  # of the steps since the last line of the log, measuring and saving left out
    started = time.perf_counter()
    for parts in _steps(config, folder, state.step, step.steps):
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
        last = state.step == step.steps
        if last or state.step % config.log_every == 0:
            mean = sum(state.losses) / len(state.losses)
            seconds_per_image = sum(seconds) / (len(seconds) * images_per_step)
            log.write("train", state.step, loss=mean, lr=lr, seconds_per_image=round(seconds_per_image, 5))
            state.losses.clear()
            seconds.clear()
        if len(folder.val) and (last or state.step % eval_every == 0):
            results.validate(state, progress)
        if last or state.step % config.save_every == 0:
            results.save(state)
        started = time.perf_counter()


def _steps(config: PretrainConfig, folder: ImageFolder, done: int, steps: int) -> Iterator[list[Batch]]:
    """For each step still to do, its `accumulate` batches."""
    samples = TrainSamples(folder.train, config.size, config.augment, config.seed)
    per_step = config.batch_size * config.accumulate
    stream = batches(samples, done * per_step, steps * per_step, config.batch_size, config.workers)
    for step in range(done, steps):
        firsts = range(step * per_step, (step + 1) * per_step, config.batch_size)
        yield [(first, *next(stream)) for first in firsts]
