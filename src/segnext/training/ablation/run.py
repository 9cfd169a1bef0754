"""Training the networks of an ablation one after another, in folders of their own; what is done is kept."""

import json
import math
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segnext.checkpoint.weights import Weights, load_weights
from segnext.data.formats.public.open import open_data
from segnext.errors import SegNextError
from segnext.model.ablations import Row
from segnext.model.complexity import count
from segnext.model.config import Architecture
from segnext.plain import write_json
from segnext.training.config import TrainConfig
from segnext.training.data import check_data
from segnext.training.log import read_log, series
from segnext.training.train import train

SETTINGS = "ablation.settings.json"
PROBE = 8  # steps by which a network's speed is told, half of them to warm up
FREE = (
    "out",
    "device",
    "workers",
    "log_every",
    "save_every",
    "eval_every",
    "check_data",
    "fit_memory",
)  # settings that do not change what is measured
SIZE = 512  # height and width at which the paper counts multiply-adds


@dataclass(frozen=True)
class Budget:
    """What every network gets: the base settings' iterations, or so many seconds of training; and how many seeds."""

    seconds: float | None = None
    seeds: int = 1

    def __post_init__(self) -> None:
        """Refuse an empty budget."""
        if self.seeds < 1:
            raise SegNextError(f"--seeds is {self.seeds}; it must be at least 1")
        if self.seconds is not None and self.seconds <= 0:
            raise SegNextError(f"--seconds is {self.seconds}; it must be positive")


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
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SegNextError("an ablation trains one network after another in one process; start it without torchrun")
    if base.val_split is None:
        raise SegNextError("an ablation compares mIoU on val; give a --val_split")
    data = open_data(Path(base.data), base.format)
    splits = (base.train_split, base.val_split)
    for split in splits:
        data.pairs(split)  # what is wrong with the data is wrong for every network
    if base.check_data:
        check_data(data, splits)
    out = Path(base.out)
    _keep_settings(out, base, budget)
    outcomes = {}
    for row in rows:
        config = replace(base, architecture=row.architecture, out=str(out / row.name), check_data=False)
        outcomes[row.name] = _row(config, budget)
        show(row, outcomes[row.name])
    return outcomes


def _row(config: TrainConfig, budget: Budget) -> Outcome:
    """Train one network with each seed."""
    out, first = Path(config.out), config.seed
    weights: list[Weights] = []
    seconds: list[float] = []
    failure = ""
    try:
        if budget.seconds is not None:
            config = replace(config, iterations=_iterations(config, budget.seconds))
        config = replace(config, eval_every=config.iterations)  # measured once, at the end
        for seed in range(first, first + budget.seeds):
            run = replace(config, seed=seed, out=str(out / f"seed-{seed}"))
            weights.append(_trained(run))
            seconds.append(_seconds_per_step(run))
    except SegNextError as error:
        failure = str(error)
    if not weights:
        return Outcome((), config.iterations, float("nan"), 0, 0, failure)
    parts = count(weights[0].config, SIZE, SIZE)
    return Outcome(
        mious=tuple(_miou(entry) for entry in weights),
        iterations=config.iterations,
        seconds_per_step=statistics.median(seconds),
        parameters=sum(part.parameters for part in parts),
        operations=sum(part.operations for part in parts),
        failure=failure,
    )


def _miou(weights: Weights) -> float:
    """What was measured on val, 0..1; NaN where val has no labelled pixel."""
    miou = weights.provenance.miou
    return math.nan if miou is None else miou


def _trained(run: TrainConfig) -> Weights:
    """The weights of a run after its last step; the run is started, gone on with, or found done."""
    out = Path(run.out)
    last = out / "last.safetensors"
    if last.exists():
        weights = load_weights(last)
        if weights.provenance.step == run.iterations:
            return weights
    train(run, resume=(out / "config.yaml").exists())
    return load_weights(last)


def _seconds_per_step(run: TrainConfig) -> float:
    """The median over the second half of the log, when caches and clocks have settled."""
    _, seconds = series(read_log(Path(run.out) / "log.jsonl")[0], "seconds_per_image")
    images_per_step = run.batch_size * run.accumulate
    return float(statistics.median(seconds[len(seconds) // 2 :])) * images_per_step


def _iterations(config: TrainConfig, seconds: float) -> int:
    """Steps that fit in `seconds`, by a few trial steps; told once, so that an interrupted run goes on as it began."""
    file = Path(config.out) / "iterations.json"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            probe = replace(config, out=f"{folder}/probe", iterations=PROBE, val_split=None, log_every=1)
            train(probe)
            step = _seconds_per_step(probe)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(max(1, round(seconds / step)), file)
    return int(json.loads(file.read_text()))


def _keep_settings(out: Path, base: TrainConfig, budget: Budget) -> None:
    """Write the settings down, or refuse others than those of the runs that are there."""
    settings = _plain(base) | {"data": str(Path(base.data).resolve()), "seconds": budget.seconds}
    file = out / SETTINGS
    if not file.exists():
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_json(settings, file)
        except OSError as error:
            raise SegNextError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
        return
    # Settings that training did not have yet were at their defaults.
    earlier = _merged(_plain(TrainConfig(data="", out="")), json.loads(file.read_text(encoding="utf-8")))
    for name, value in settings.items():
        if value != earlier.get(name):
            raise SegNextError(
                f"{out}: its runs have {name} {earlier.get(name)}, not {value}, and would not compare; give the same "
                "settings, or another --out"
            )


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The settings that decide what is measured, as JSON has them."""
    settings = {name: value for name, value in asdict(config).items() if name not in FREE}
    return dict(json.loads(json.dumps(settings)))


def _merged(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values, and for what they lack the defaults, at every level."""
    merged = {**defaults, **values}
    for name, value in defaults.items():
        if isinstance(value, dict) and isinstance(merged[name], dict):
            merged[name] = _merged(value, merged[name])
    return merged
