"""Pre-training: an encoder learns to classify pictures, with augmented batches, mixed labels, the cosine schedule."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.checkpoint.weights import save_encoder
from segnext.data.crops import batches
from segnext.errors import SegNextError
from segnext.model.classifier import create_classifier
from segnext.model.unfilled import unfilled
from segnext.preprocess import Preprocess
from segnext.pretraining.augment import augment_batch, mix, require_kornia, soft_labels
from segnext.pretraining.config import CosineSchedule, PretrainConfig
from segnext.pretraining.evaluate import Accuracy, accuracy_sums
from segnext.pretraining.folder import ImageFolder
from segnext.pretraining.samples import TrainSamples, ValSamples
from segnext.training.curves import draw_curves
from segnext.training.processes import Processes
from segnext.training.run import carry_out
from segnext.training.start import about
from segnext.training.state import State
from segnext.training.step import autocast
from segnext.training.task import Forward, Plan, Task, Watch, provenance


def pretrain(config: PretrainConfig, *, resume: bool = False) -> Path:
    """Train `config`, or go on with the run in its folder `out`, as if it had never stopped; see `carry_out`.

    Returns:
        The run's folder: config.yaml, best.safetensors and last.safetensors (averaged weights of encoder and
        classifier), state.pt (what resuming needs), log.jsonl, tensorboard/, and at the end curves.png.
    """
    return carry_out(config, Classification, resume=resume)


class Classification(Task[PretrainConfig]):
    """An encoder under a linear classifier learns the classes of pictures."""

    score = ("top1", "top-1")

    def __init__(self, config: PretrainConfig, processes: Processes, resume: bool) -> None:
        require_kornia(config.augment)
        self.config, self.processes = config, processes
        self.folder = folder = ImageFolder.open(Path(config.data))
        self.iterations = iterations = total_steps(config, len(folder.train))
        self.warmup = min(round(iterations * config.schedule.warmup_epochs / config.epochs), iterations // 10)
        self.samples = TrainSamples(folder.train, config.size, config.augment, config.seed)
        self.model = create_classifier(config.model, len(folder.classes), config.drop_path).train()
        pictures, size = (len(folder.train), len(folder.val)), (config.size, config.size)
        self.plan = Plan(
            iterations,
            # Rounded up, so that the last measurement is the run's end and not some steps before it too.
            math.ceil(iterations * config.eval_every / config.epochs),
            about(config, Path(config.data).name, pictures, len(folder.classes), iterations, size),
            f"a --size smaller than {config.size}",
            "with more --epochs and another --out",
        )

    def files(self) -> list[str]:
        """Pictures to train and to measure on."""
        return [*self.folder.train.files, *self.folder.val.files]

    def factor(self, step: int) -> float:
        """Warm-up, then half a cosine."""
        return lr_factor(step, self.iterations, self.warmup, self.config.schedule)

    def loss(self, forward: Forward, images: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy with mixed labels; see `mixed_loss`."""
        return mixed_loss(self.config, len(self.folder.classes), forward, images, targets)

    def count(self, weights: dict[str, Tensor], watch: Watch) -> Tensor:
        """Hits, loss and pictures."""
        config = self.config
        with unfilled():
            model = create_classifier(config.model, len(self.folder.classes))
        model.load_state_dict(weights, assign=True)
        val = ValSamples(self.folder.val, config.size, config.eval_crop)
        part = self.processes.part(range(len(self.folder.val)))
        return accuracy_sums(
            model.eval(),
            batches(val, part, config.batch_size, config.workers),
            torch.device(config.device),
            lambda: autocast(config.precision, config.device),
            lambda done: watch(done, len(part)),
        )

    def metrics(self, counts: Tensor) -> dict[str, Any]:
        """Accuracies and loss."""
        return asdict(Accuracy.of(counts))

    def save(self, state: State, path: Path) -> None:
        """Write the averaged weights as an encoder file of ours."""
        data = {"name": Path(self.config.data).name, "pictures": len(self.folder.train)}
        told = replace(provenance(self.config, state, data), classes=tuple(self.folder.classes))
        save_encoder(state.average.state, told, path)

    def draw(self) -> None:
        """curves.png: loss, accuracy and learning rate."""
        out = Path(self.config.out)
        draw_curves(out / "log.jsonl", out / "curves.png")


def mixed_loss(config: PretrainConfig, classes: int, forward: Forward, images: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy with the mixed labels; what is random in a batch follows from its first sample's number.

    Args:
        config: augmentation and label smoothing.
        classes: how many there are.
        forward: the network's forward pass.
        images: (B, 3, S, S) uint8.
        targets: (B, 2), labels and numbers of the samples.
    """
    random = np.random.Generator(np.random.PCG64([config.seed, 2, int(targets[0, 1])]))
    images, labels = (x.to(config.device, non_blocking=True) for x in (images, targets[:, 0]))
    batch = augment_batch(images, Preprocess(), config.augment, random)
    batch, weight = mix(batch, config.augment, random)
    return F.cross_entropy(forward(batch).float(), soft_labels(labels, weight, classes, config.smoothing))


def total_steps(config: PretrainConfig, pictures: int) -> int:
    """Optimiser steps of the whole run.

    Args:
        config: the run, with its total batch decided.
        pictures: in a pass over the data.

    Raises:
        SegNextError: when the run is shorter than one step.
    """
    assert config.total_batch is not None
    steps = math.floor(config.epochs * pictures / config.total_batch)
    if steps < 1:
        raise SegNextError(
            f"{config.data}: {config.epochs:g} passes over {pictures} pictures are less than one step of "
            f"{config.total_batch}; lower batch_size or accumulate"
        )
    return steps


def lr_factor(step: int, steps: int, warmup: int, schedule: CosineSchedule) -> float:
    """Learning rate of step `step` (from 0), relative to the peak, with `warmup` steps of warm-up."""
    if step < warmup:
        return schedule.warmup_start + (1.0 - schedule.warmup_start) * step / warmup
    return schedule.floor + (1.0 - schedule.floor) * 0.5 * (1.0 + math.cos(math.pi * step / steps))
