"""Crops drawn for a class, so that classes which few pictures or pixels show are seen often enough."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnext.data.counts import ClassCounts
from segnext.errors import SegNextError, require_setting

STEPS = 1000  # to which shares are rounded


@dataclass(frozen=True)
class Sampling:
    """Where crops come from.

    Attributes:
        class_share: share of the crops that are drawn for a class: first a class, then one of the pictures that hold
            it, and the crop is laid over one of its pixels. All others take every picture once in each pass, and lie
            anywhere; 0 for those alone, as in the paper.
        rarity: classes are drawn with probability proportional to their share of the pixels ** -rarity: 0 draws all of
            them alike (class-balanced), 0.5 or 1 rare ones more often.
    """

    class_share: float = 0.0
    rarity: float = 0.0

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        share = self.class_share
        require_setting(0.0 <= share <= 1.0, "sampling.class_share", share, "a share of the crops, from 0 to 1")
        require_setting(0.0 <= self.rarity <= 2.0, "sampling.rarity", self.rarity, "from 0 to 2")


class ClassSampler:
    """Draws a class and a picture for some of the samples.

    Args:
        sampling: how many, and which classes.
        counts: of the pictures to draw from.

    Attributes:
        chances: probability of every class, (classes,); 0 for those that no picture holds.

    Raises:
        SegNextError: when no picture holds a class.
    """

    def __init__(self, sampling: Sampling, counts: ClassCounts) -> None:
        self.share = round(STEPS * sampling.class_share)
        self.pictures = [np.flatnonzero(column) for column in counts.pixels.T]
        shares = counts.frequencies
        if not shares.any():
            raise SegNextError("sampling.class_share is set, but no training mask holds a class; mend the masks")
        chances = np.zeros_like(shares)
        chances[shares > 0] = shares[shares > 0] ** -sampling.rarity
        self.chances: NDArray[np.float64] = chances / chances.sum()

    def before(self, number: int) -> int:
        """How many of the samples below `number` are drawn for a class; they are spread evenly."""
        return number * self.share // STEPS

    def draw(self, random: np.random.Generator) -> tuple[int, int]:
        """A class, and the position of a picture that holds it."""
        label = int(random.choice(len(self.chances), p=self.chances))
        return label, int(random.choice(self.pictures[label]))
