"""The light Hamburger head (section 3.2, figure 3c)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.kernels.launch import fused
from segnext.kernels.squeeze import squeezed
from segnext.model.decoders.parts import Head, resize
from segnext.model.decoders.refinement import Refinement
from segnext.model.layers import ConvNorm

STAGES = (2, 3, 4)  # stage 1 holds too much low-level detail to help (section 4.2)


class HamDecoder(Head):
    """Stages of the encoder, squeezed, given global context.

    Args:
        encoder_channels: widths of the four stage maps.
        channels: width D of the head.
        context: (B, D, H, W) -> (B, D, H, W); a `Hamburger`, or what is compared with it.
        num_classes: classes to tell apart.
        stages: stages to use, of 1 to 4, in ascending order; the head works at the first one's resolution.
        refine: channels of a `Refinement` behind the classifier; 0 for none, as published.
        dropout: probability of dropping a channel before the classifier, in training.

    Forward: four maps (B, C_i, H_i, W_i) -> logits (B, num_classes, H_2, W_2), or H_1, W_1 with stage 1 or `refine`.
    """

    def __init__(
        self,
        *,
        encoder_channels: Sequence[int],
        channels: int,
        context: nn.Module,
        num_classes: int,
        stages: Sequence[int] = STAGES,
        refine: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder_channels = tuple(encoder_channels)
        self.stages = tuple(stages)
        self.squeeze = ConvNorm(sum(encoder_channels[stage - 1] for stage in stages), channels)
        self.hamburger = context  # whatever it is, the name in weights files stays
        self.align = ConvNorm(channels, channels)
        self.refinement: Refinement | None = None
        if refine:
            self.refinement = Refinement(
                detail_channels=encoder_channels[0], channels=channels, width=refine, num_classes=num_classes
            )
        self.end(channels, num_classes, dropout)
        if self.refinement is not None:
            self.refinement.start()

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        used = [maps[stage - 1] for stage in self.stages]
        x = F.relu(self._squeezed(used))
        x = self.hamburger(x)
        x = F.relu(self.align(x))
        logits: Tensor = self.classified(x)
        if self.refinement is not None:
            refined: Tensor = self.refinement(logits, x, maps[0])
            return refined
        return logits if self.stages[0] <= 2 else resize(logits, maps[1].shape[2:])

    def _squeezed(self, used: Sequence[Tensor]) -> Tensor:
        """All stages at the first one's size, squeezed."""
        if all(fused(self, x) for x in used):
            return self.squeeze.normalised(squeezed(used, self.squeeze.conv.weight))
        size = used[0].shape[2:]
        squeezed_maps: Tensor = self.squeeze(torch.cat([resize(x, size) for x in used], dim=1))
        return squeezed_maps
