"""One optimiser step."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from segnext.model.network import SegNeXt
from segnext.training.config import TrainConfig
from segnext.training.losses.total import TrainLoss
from segnext.training.optim import build_optimizer, lr_factor
from segnext.training.processes import Processes

AMP_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST_SCALE = 2.0**-10  # of fp16's loss, which starts at 2 ** 16 and is halved while gradients overflow

Batch = tuple[Tensor, Tensor]  # pictures (B, bands, H, W) float32; masks (B, H, W) int64 or (B, classes, H, W) uint8


class Taken(NamedTuple):
    """What a step tells: mean loss of its pictures, learning rate, and norm of the gradient before clipping."""

    loss: float
    lr: float
    grad_norm: float


class NotFiniteError(Exception):
    """A loss or gradient that is infinite or not a number; the parameters are as they were before the step.

    Attributes:
        what: "loss" or "gradient".
        value: the loss, or the gradient's norm.
        parts: the parts of the step that it may come from; none when it comes from another process.
    """

    def __init__(self, what: str, value: float, parts: list[int]) -> None:
        super().__init__(f"the {what} is {value}")
        self.what, self.value, self.parts = what, value, parts


class TrainStep:
    """Forward and backward over the parts of a step, clipping, AdamW.

    The gradient is that of the mean of the parts' and processes' losses. With `mean`, losses of processes are weighed
    such that one process with all their pictures would have the same; parts of a process weigh alike.
    """

    def __init__(
        self, config: TrainConfig, model: SegNeXt, criterion: TrainLoss, processes: Processes | None = None
    ) -> None:
        self.config = config
        self.model = model
        self.criterion = criterion
        self.processes = processes or Processes()
        self.device = torch.device(config.device)
        self.optimizer = build_optimizer(model, config.optimizer)
        self.scaler = torch.amp.GradScaler(config.device, enabled=config.precision == "fp16")
        self.parallel = self.processes.parallel(model, config.device)

    def __call__(self, parts: Sequence[Batch], step: int) -> Taken:
        """Take step `step` (from 0), which has `accumulate` parts.

        Raises:
            NotFiniteError: before anything is changed.
        """
        factor = lr_factor(step, self.config.iterations, self.config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        self.optimizer.zero_grad()  # of a step that failed
        losses = []
        for number, (images, masks) in enumerate(parts, 1):
            alone = number < len(parts)
            with self.processes.without_exchange(self.parallel) if alone else nullcontext():
                loss = self.loss(images, masks) / len(parts)
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        total, norm = self._checked(torch.stack(losses))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return Taken(total, self.config.optimizer.lr * factor, norm)

    def loss(self, images: Tensor, masks: Tensor) -> Tensor:
        """The loss of one part."""
        images = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        masks = masks.to(self.device, non_blocking=True)
        amp_type = AMP_TYPES.get(self.config.precision)
        with torch.autocast(self.device.type, amp_type, enabled=amp_type is not None):
            logits = self.parallel(images)
        return self.criterion(logits, masks, self.processes.mean)

    def _checked(self, losses: Tensor) -> tuple[float, float]:
        """Clip the gradient; the loss and the gradient's norm, the same in all processes and both finite."""
        self.scaler.unscale_(self.optimizer)
        limit = self.config.optimizer.clip_norm
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), math.inf if limit is None else limit)
        total, length, *own = torch.stack([self.processes.mean(losses.sum()), norm.to(losses.dtype), *losses]).tolist()
        if not math.isfinite(total):
            raise NotFiniteError("loss", total, [part for part, loss in enumerate(own) if not math.isfinite(loss)])
        overflows = self.scaler.is_enabled() and self.scaler.get_scale() >= SMALLEST_SCALE  # then the step is left out
        if not math.isfinite(length) and not overflows:
            raise NotFiniteError("gradient", length, list(range(len(own))))
        return total, length
