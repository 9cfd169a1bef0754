"""What a run needs from the kind of run that it is: its length, its samples, its results."""

from dataclasses import dataclass
from typing import Protocol

from segnext.data.crops import Samples
from segnext.training.progress import Progress
from segnext.training.state import State
from segnext.training.stop import Stop


@dataclass(frozen=True)
class Plan:
    """When a run measures on val, and when it ends.

    Attributes:
        iterations: optimiser steps.
        eval_every: steps between measurements on val; None to measure nowhere.
        about: what is trained on what and where, in a line that is printed when the run begins.
        smaller_input: what makes the network's input smaller, for messages.
        more: how to train a finished run's weights further, for messages.
        patience: measurements in a row that are not the best so far, after which the run ends; None for never.
    """

    iterations: int
    eval_every: int | None
    about: str
    smaller_input: str
    more: str
    patience: int | None = None


class RunSamples(Samples, Protocol):
    """Samples whose files have names."""

    def name(self, number: int) -> str:
        """The file of sample `number`."""


class RunResults(Protocol):
    """What a run leaves behind."""

    def validate(self, state: State, progress: Progress, stop: Stop) -> None:
        """Measure on val; `state.measured` becomes this step, unless the run is asked to stop meanwhile."""

    def save(self, state: State) -> None:
        """Write the weights, and what the run can go on from."""

    def draw(self) -> None:
        """Draw the pictures of the whole run."""
