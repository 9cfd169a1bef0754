"""Which heads a network has in training alone. Plain data."""

import math
from dataclasses import dataclass

from segnext.errors import SegNextError, require_setting


@dataclass(frozen=True)
class Auxiliary:
    """Heads in training alone, on stages of the encoder, each with the loss of the run; the default is none, as in the
    paper. The weights files do not hold them.

    Attributes:
        stages: stages that have a head, from 1 to 4, ascending; [3] is the auxiliary head of PSPNet and mmsegmentation,
            several are deep supervision.
        weights: of the heads' losses, beside 1 of the decoder's; one for all, or one for each stage.
        channels: width of each head.
        convs: 3x3 convolutions of each head; after more than one, the map is stacked on their result and fused by
            another.
        dropout: probability of dropping a channel before a head's classifier.
    """

    stages: tuple[int, ...] = ()
    weights: tuple[float, ...] = (0.4,)
    channels: int = 256
    convs: int = 1
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse heads that there cannot be."""
        stages, weights = self.stages, self.weights
        wanted = "some of 1, 2, 3, 4, in this order, or [] for none"
        require_setting(list(stages) == sorted({*stages} & {1, 2, 3, 4}), "auxiliary.stages", stages, wanted)
        if len(weights) not in (1, len(stages)):
            raise SegNextError(
                f"auxiliary.weights is {weights}; give one number for all heads, or one for each of the stages {stages}"
            )
        require_setting(
            all(0.0 < weight < math.inf for weight in weights), "auxiliary.weights", weights, "numbers above 0"
        )
        for name in ("channels", "convs"):
            value = getattr(self, name)
            require_setting(value >= 1, f"auxiliary.{name}", value, "at least 1")
        require_setting(0.0 <= self.dropout < 1.0, "auxiliary.dropout", self.dropout, "at least 0 and below 1")

    @property
    def by_head(self) -> tuple[float, ...]:
        """The weight of each head's loss."""
        return self.weights if len(self.weights) == len(self.stages) else self.weights * len(self.stages)
