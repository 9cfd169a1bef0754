"""One optimiser step."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segnext.model.trainable import Trainable
from segnext.training.config import Precision, Settings
from segnext.training.optim import build_optimizer
from segnext.training.processes import Processes

AMP_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST_SCALE = 2.0**-10  # of fp16's loss, which starts at 2 ** 16 and is halved while gradients overflow

# Pictures (B, bands, H, W), and what is to be learnt about them, such as masks (B, H, W).
Batch = tuple[Tensor, Tensor]


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


def autocast(precision: Precision, device: str) -> AbstractContextManager[object]:
    """A context in which forward passes on `device` are computed in this number format."""
    amp_type = AMP_TYPES.get(precision)
    return torch.autocast(device, amp_type, enabled=amp_type is not None)


class Step:
    """Forward and backward over the parts of a step, clipping, AdamW.

    The gradient is that of the mean of the parts' and processes' losses.

    Args:
        config: with everything decided.
        model: on the device.
        loss: of the network's forward pass, pictures and what is to be learnt about them; see `Task.loss`.
        factor: learning rate of a step (from 0), relative to the peak.
        processes: this one among those that train together; None for one alone.
    """

    def __init__(
        self,
        config: Settings,
        model: Trainable,
        loss: Callable[[Callable[[Tensor], Any], Tensor, Tensor], Tensor],
        factor: Callable[[int], float],
        processes: Processes | None = None,
    ) -> None:
        self.settings = config
        self.model, self.loss, self.factor = model, loss, factor
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
        factor = self.factor(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        self.optimizer.zero_grad()  # of a step that failed
        losses = []
        for number, (images, targets) in enumerate(parts, 1):
            alone = number < len(parts)
            with self.processes.without_exchange(self.parallel) if alone else nullcontext():
                loss = self.loss(self.forward, images, targets) / len(parts)
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        total, norm = self._checked(torch.stack(losses))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return Taken(total, self.settings.optimizer.lr * factor, norm)

    def forward(self, images: Tensor) -> Any:
        """The network's forward pass on the device, in the run's number format."""
        images = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        with autocast(self.settings.precision, self.device.type):
            return self.parallel(images)

    def _checked(self, losses: Tensor) -> tuple[float, float]:
        """Clip the gradient; the loss and the gradient's norm, the same in all processes and both finite."""
        self.scaler.unscale_(self.optimizer)
        limit = self.settings.optimizer.clip_norm
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), math.inf if limit is None else limit)
        total, length, *own = torch.stack([self.processes.mean(losses.sum()), norm.to(losses.dtype), *losses]).tolist()
        if not math.isfinite(total):
            raise NotFiniteError("loss", total, [part for part, loss in enumerate(own) if not math.isfinite(loss)])
        overflows = self.scaler.is_enabled() and self.scaler.get_scale() >= SMALLEST_SCALE  # then the step is left out
        if not math.isfinite(length) and not overflows:
            raise NotFiniteError("gradient", length, list(range(len(own))))
        return total, length
