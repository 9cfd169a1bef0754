"""What a trainer trains: a network, samples and a plan; the loss of a batch; measuring, saving, drawing."""

import platform
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from torch import Tensor

from segnext.checkpoint.provenance import Provenance
from segnext.data.crops import Samples
from segnext.model.trainable import Trainable
from segnext.training.config import Settings
from segnext.training.log import Log
from segnext.training.state import State
from segnext.training.step import Taken

C = TypeVar("C", bound=Settings)
Forward = Callable[[Tensor], Any]  # the network's forward pass, on the run's device and in its number format
Watch = Callable[[int, int], None]  # is told how many of how many pictures are measured, and may break that off


OnStep = Callable[[int, Taken], None]  # the step (from 1); its loss, learning rate and gradient norm
OnEval = Callable[[int, dict[str, Any]], None]  # the step; what the log has of the measurement


@dataclass(frozen=True)
class Callbacks:
    """What is called while a run goes on, in process 0."""

    on_step: OnStep | None = None
    on_eval: OnEval | None = None


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


class NamedSamples(Samples, Protocol):
    """Samples whose files have names."""

    def name(self, number: int) -> str:
        """The file of sample `number`."""


class Task(ABC, Generic[C]):
    """What one kind of run trains; a `Trainer` does everything that all kinds have in common.

    Attributes:
        config: with everything decided.
        model: the network, in training mode, with random weights.
        samples: what is trained on.
        plan: length and measurements.
        score: what is measured that says which weights are the best: its key, and its name for people.
    """

    score: ClassVar[tuple[str, str]]
    config: C
    model: Trainable
    samples: NamedSamples
    plan: Plan

    def start(self) -> dict[str, Any]:
        """Load what a new run begins with into the network; where that came from, for the weights' provenance."""
        return {}

    @abstractmethod
    def files(self) -> list[str]:
        """Every file that the run reads, each once, in the order of its samples."""

    @abstractmethod
    def factor(self, step: int) -> float:
        """Learning rate of step `step` (from 0), relative to the peak."""

    @abstractmethod
    def loss(self, forward: Forward, images: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch of samples."""

    @abstractmethod
    def count(self, weights: dict[str, Tensor], watch: Watch) -> Tensor:
        """What is counted on this process's part of val; added up over all processes it gives the metrics."""

    @abstractmethod
    def metrics(self, counts: Tensor) -> dict[str, Any]:
        """What is logged of a measurement, the score (0..1) included; None where there is no number."""

    @abstractmethod
    def save(self, state: State, path: Path) -> None:
        """Write the averaged weights with their provenance."""

    def show(self, state: State, log: Log) -> None:  # not every kind has pictures
        """Add pictures of a measurement to TensorBoard."""

    @abstractmethod
    def draw(self) -> None:
        """Draw the pictures of the whole run."""


def provenance(config: Settings, state: State, data: dict[str, Any]) -> Provenance:
    """What weights are told of the run that they are from."""
    # Where data, run and other weights lie is this machine's affair; what they are is not.
    recipe = {name: value for name, value in asdict(config).items() if name not in ("data", "more_data", "out")}
    files = {
        name: Path(recipe[name]).name for name in ("encoder_weights", "from_weights", "label_map") if recipe.get(name)
    }
    return Provenance(
        recipe={**recipe, **files},
        data=data,
        step=state.step,
        metrics=state.metrics,
        **state.origin,
        versions={name: version(name) for name in ("segnext", "torch", "numpy")}
        | {"python": platform.python_version()},
    )
