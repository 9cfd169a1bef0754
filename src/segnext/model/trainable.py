"""What the networks that we train have in common."""

import torch
from torch import nn

from segnext.model.encoders import Encoder
from segnext.model.hamburger import Decomposition
from segnext.model.layers import RowRandom


class Trainable(nn.Module):
    """An encoder and what stands on it, whose randomness in training is part of a run's state."""

    encoder: Encoder

    def random_generators(self) -> list[torch.Generator]:
        """The generators from which training draws bases; their states are part of a run's state."""
        return [module.generator for module in self.modules() if isinstance(module, Decomposition)]

    def share_batches(self, part: int, parts: int) -> None:
        """From now on every batch is part `part` (from 0) of `parts` equal ones; see `RowRandom`."""
        for module in self.modules():
            if isinstance(module, RowRandom):
                module.share = (part, parts)
