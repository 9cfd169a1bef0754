"""Samples of several data sets, in fixed shares."""

from dataclasses import dataclass

from torch import Tensor

from segnext.data.crops import Crops

WHOLE = 1 << 32  # to which shares are rounded


@dataclass(frozen=True)
class Mixed:
    """Sample n of a run on several data sets: which of them, and which sample of it, follow from n alone.

    The data sets' samples are evenly spread, each in the share of its weight; those of one data set come in their own
    order.

    Attributes:
        parts: the samples of each data set.
        weights: of each, above 0.
    """

    parts: tuple[Crops, ...]
    weights: tuple[float, ...]

    def place(self, number: int) -> tuple[int, int]:
        """Which data set sample `number` is from, and which sample of it it is."""
        for part in range(len(self.parts) - 1):
            share = round(WHOLE * self.weights[part] / sum(self.weights[part:]))  # of what the ones before have left
            before = number * share // WHOLE
            if (number + 1) * share // WHOLE > before:
                return part, before
            number -= before
        return len(self.parts) - 1, number

    def name(self, number: int) -> str:
        """The file of sample `number`."""
        part, own = self.place(number)
        return self.parts[part].name(own)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        part, own = self.place(number)
        return self.parts[part][own]
