"""The paper's ablations as a comparison: one set of settings, and the architectures of the table's rows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segnext.checkpoint.weights import load_weights
from segnext.compare.contest import Budget, Entry, Trained, contest, keep_settings, require_comparable
from segnext.errors import SegNextError
from segnext.model.ablations import Row
from segnext.model.complexity import count
from segnext.model.config import Architecture
from segnext.training.config import TrainConfig

SETTINGS = "ablation.settings.json"
SIZE = 512  # height and width at which the paper counts multiply-adds


@dataclass(frozen=True)
class Outcome:
    """What a network reached.

    Attributes:
        mious: on val after the last step, 0..1, of each seed that was trained.
        iterations: steps of each seed.
        seconds_per_step: of training alone.
        parameters: learned numbers.
        operations: multiply-adds at 512 x 512.
        failure: why a seed could not be trained, or "".
    """

    mious: tuple[float, ...]
    iterations: int
    seconds_per_step: float
    parameters: int
    operations: int
    failure: str = ""


def ablate(
    base: TrainConfig, rows: Sequence[Row], budget: Budget, show: Callable[[Row, Outcome], None]
) -> dict[str, Outcome]:
    """Train and measure the networks of `rows`; go on where an earlier call stopped.

    Args:
        base: all settings but the network's; `out` is the folder for all, in which each run has its own.
        rows: the networks.
        budget: steps or seconds, and seeds.
        show: called when a network is done.

    Returns:
        An outcome for each row's name.

    Raises:
        SegNextError: when the settings cannot be those of an ablation, or differ from those the folder was begun with.
    """
    if base.architecture != Architecture():
        raise SegNextError("an ablation sets the architecture itself; leave out --architecture, and choose --rows")
    require_comparable([base])
    out = Path(base.out)
    keep_settings(out / SETTINGS, {"seed": base.seed, **budget.of_a_run}, base)
    by_name = {row.name: row for row in rows}
    outcomes = {}

    def done(name: str, trained: Trained) -> None:
        outcomes[name] = _outcome(trained)
        show(by_name[name], outcomes[name])

    configs = {row.name: replace(base, architecture=row.architecture, out=str(out / row.name)) for row in rows}
    contest([Entry(*item) for item in configs.items()], budget, done)
    return outcomes


def _outcome(trained: Trained) -> Outcome:
    if not trained.runs:
        return Outcome((), trained.iterations, float("nan"), 0, 0, trained.failure)
    weights = [load_weights(run / "last.safetensors") for run in trained.runs]
    mious = [entry.provenance.miou for entry in weights]
    parts = count(weights[0].config, SIZE, SIZE)
    return Outcome(
        mious=tuple(math.nan if miou is None else miou for miou in mious),  # val has no labelled pixel
        iterations=trained.iterations,
        seconds_per_step=trained.seconds_per_step,
        parameters=sum(part.parameters for part in parts),
        operations=sum(part.operations for part in parts),
        failure=trained.failure,
    )
