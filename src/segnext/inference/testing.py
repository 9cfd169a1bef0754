"""How a picture is looked at when it is segmented: whole or in windows, at which scales, mirrored too. Plain data."""

import math
from dataclasses import dataclass
from typing import Literal

from segnext.choices import require_choices
from segnext.errors import SegNextError
from segnext.model.config import NetworkConfig, aligns_corners, require_scores

PAPER_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # of its multi-scale results, which also flip
Resize = Literal["pad", "multiple"]


@dataclass(frozen=True)
class Testing:
    """How pictures are tested; the default is one look at the whole picture.

    Attributes:
        slide: crop and stride in pixels of the network's input; windows of crop x crop slide over the picture by
            stride, and where they overlap their logits are averaged. null for whole pictures.
        scales: sizes at which each picture is looked at, relative to its own, or to that of short_side. The
            softmax probabilities of all looks are averaged.
        flip: whether each look is repeated with left and right exchanged.
        resize: how sides become multiples of the network's last stride, 32: pad keeps the picture's proportions and
            fills up with the mean colour, below and on the right; multiple stretches each side to the next one, as the
            released code does.
        short_side: pixels of the short side at scale 1, in place of the sides stored with the weights; null for those.
        long_side: pixels of the long side at scale 1, or with short_side its most, in place of them; null for those.
    """

    __test__ = False  # no test case, whatever pytest thinks of the name

    slide: tuple[int, int] | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    resize: Resize = "pad"
    short_side: int | None = None
    long_side: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        require_choices(self)
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise SegNextError(f"scales are {self.scales}; give one or more numbers above 0, such as 0.75 1 1.25")
        for name in ("short_side", "long_side"):
            side = getattr(self, name)
            if side is not None and side < 1:
                raise SegNextError(f"{name} is {side}; it must be at least 1 pixel")

    def require_fit(self, config: NetworkConfig) -> None:
        """Refuse windows that a network of this configuration cannot look through.

        Raises:
            SegNextError: that says which windows it can, or that it gives labels alone.
        """
        if self != Testing(resize=self.resize, short_side=self.short_side, long_side=self.long_side):
            require_scores(config, "windows, scales and mirrored looks")
        if self.slide is None:
            return
        if aligns_corners(config):
            raise SegNextError(
                "the logits of these weights are enlarged from corner to corner (align_corners), so that windows of "
                "them do not fit together; leave slide out"
            )
        (crop, step), stride, logits = self.slide, config.strides[-1], config.logits_stride
        if crop < stride or crop % stride or not 0 < step <= crop or step % logits:
            raise SegNextError(
                f"slide is {crop} {step}; the crop must be a multiple of {stride}, and the stride a multiple of "
                f"{logits} and at most the crop, such as 1024 768"
            )


WHOLE = Testing()  # one look at the whole picture
