"""Parameter groups, learning rate over time, averaged weights."""

import re

import torch
from torch import Tensor, nn

from segnext.model.encoders import Encoder
from segnext.model.trainable import Trainable
from segnext.training.config import Decay, Optimizer, Schedule

# The encoder's parameters whose names in the released code have "norm" in them. Its stem's BatchNorm has none; in the
# head no name counts, for "head" is looked for first.
NAMED_NORM = re.compile(r"norm|stages\.[1-9]\d*\.embed\.1\.")


def build_optimizer(model: Trainable, options: Optimizer) -> torch.optim.AdamW:
    """AdamW over groups of parameters with the same learning rate, each with and without weight decay.

    What decays is said by `Optimizer.decay`. Each group's `base_lr` is its peak learning rate. Frozen parameters are in
    none. What is not in the model's encoder is its head.
    """
    heads = [(options.head_lr_factor, part) for name, part in model.named_children() if name != "encoder"]
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}  # by factor, and whether they decay
    for factor, module in (*encoder_factors(model.encoder, options.layer_decay), *heads):
        for parameter in module.parameters():
            if parameter.requires_grad:
                decayed = decays(names[parameter], parameter, options.decay)
                groups.setdefault((factor, decayed), []).append(parameter)
    described = [
        {"params": parameters, "weight_decay": options.weight_decay if decayed else 0.0, "base_lr": options.lr * factor}
        for (factor, decayed), parameters in groups.items()
    ]
    return torch.optim.AdamW(described, lr=options.lr, betas=options.betas, fused=True)


def decays(name: str, parameter: nn.Parameter, which: Decay) -> bool:
    """Whether weight decay is for the parameter `name` of a model; see `Optimizer.decay`."""
    if which == "weights":
        return parameter.ndim > 1  # norms, biases and layer scales are vectors
    return not (name.startswith("encoder.") and NAMED_NORM.search(name))


def encoder_factors(encoder: Encoder, decay: float) -> list[tuple[float, nn.Module]]:
    """The encoder's modules with their learning rates relative to the peak: layer i of n, from 0, has decay ** (n - i).

    Layer-wise decay as for BEiT (Bao et al., 2022).
    """
    layers = [layer for stage in encoder.layers() for layer in stage]
    return [(decay ** (len(layers) - number), module) for number, modules in enumerate(layers) for module in modules]


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
