"""One optimiser step of pre-training: augmentation of the batches, mixed labels, the cosine schedule."""

import math

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from segnext.model.classifier import Classifier
from segnext.preprocess import Preprocess
from segnext.pretraining.augment import augment_batch, mix, soft_labels
from segnext.pretraining.config import CosineSchedule, PretrainConfig
from segnext.training.processes import Processes
from segnext.training.step import Step


def lr_factor(step: int, steps: int, warmup: int, schedule: CosineSchedule) -> float:
    """Learning rate of step `step` (from 0), relative to the peak, with `warmup` steps of warm-up."""
    if step < warmup:
        return schedule.warmup_start + (1.0 - schedule.warmup_start) * step / warmup
    return schedule.floor + (1.0 - schedule.floor) * 0.5 * (1.0 + math.cos(math.pi * step / steps))


class PretrainStep(Step):
    """A step of a classifier."""

    def __init__(
        self, config: PretrainConfig, model: Classifier, iterations: int, processes: Processes | None = None
    ) -> None:
        super().__init__(config, model, model.encoder, model.head, processes)
        self.config = config
        self.num_classes = model.head.out_features
        self.iterations = iterations
        self.warmup = min(round(iterations * config.schedule.warmup_epochs / config.epochs), iterations // 10)
        self.preprocess = Preprocess()

    def factor(self, step: int) -> float:
        """Learning rate of step `step` (from 0), relative to the peak."""
        return lr_factor(step, self.iterations, self.warmup, self.config.schedule)

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy with the mixed labels; what is random in a batch follows from its first sample's number.

        Args:
            images: (B, 3, S, S) uint8.
            targets: (B, 2), labels and numbers of the samples.
        """
        config = self.config
        random = np.random.Generator(np.random.PCG64([config.seed, 2, int(targets[0, 1])]))
        images, labels = (x.to(self.device, non_blocking=True) for x in (images, targets[:, 0]))
        batch = augment_batch(images, self.preprocess, config.augment, random)
        batch, weight = mix(batch, config.augment, random)
        target = soft_labels(labels, weight, self.num_classes, config.smoothing)
        return F.cross_entropy(self.logits(batch).float(), target)
