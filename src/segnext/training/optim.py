"""Parameter groups, learning rate over time, averaged weights."""

import torch
from torch import Tensor, nn

from segnext.training.config import Optimizer, Schedule


def build_optimizer(encoder: nn.Module, head: nn.Module, options: Optimizer) -> torch.optim.AdamW:
    """AdamW over four groups: encoder and what is on top of it, each with and without weight decay.

    Only weights of convolutions and linear layers decay; norms, biases and layer scales are vectors and do not.
    Each group's `base_lr` is its peak learning rate.
    """
    groups = []
    for part, factor in ((encoder, 1.0), (head, options.head_lr_factor)):
        for decays in (True, False):
            parameters = [p for p in part.parameters() if (p.ndim > 1) == decays]
            decay = options.weight_decay if decays else 0.0
            groups.append({"params": parameters, "weight_decay": decay, "base_lr": options.lr * factor})
    return torch.optim.AdamW(groups, lr=options.lr, betas=options.betas, fused=True)


def lr_factor(step: int, iterations: int, schedule: Schedule) -> float:
    """Learning rate of step `step` (from 0), relative to the peak: linear warm-up times polynomial decay.

    The warm-up takes at most a tenth of the run, so that short runs reach their peak too.
    """
    decay = float((1.0 - step / iterations) ** schedule.power)
    warmup = min(schedule.warmup, iterations // 10)
    if step >= warmup:
        return decay
    rise = step / warmup
    return decay * (schedule.warmup_start + (1.0 - schedule.warmup_start) * rise)


class Average:
    """Exponential moving average of a model's state.

    The decay grows with the steps, min(decay, (1 + n) / (10 + n)), so that the random start is soon forgotten.
    With decay 0 the average is the model itself.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the model after optimiser step `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                averages.append(self.state[name])
                values.append(tensor)
            else:
                self.state[name].copy_(tensor)
        torch._foreach_lerp_(averages, values, 1.0 - decay)
