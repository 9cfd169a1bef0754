"""Networks trained one after another with one budget, in folders of their own; what is done is kept."""

import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segnext.checkpoint.weights import load_weights
from segnext.data.formats.public.open import open_data
from segnext.errors import SegNextError
from segnext.plain import write_json
from segnext.training.config import TrainConfig
from segnext.training.data import check_data
from segnext.training.log import read_log, series
from segnext.training.train import train

PROBE = 8  # steps by which a network's speed is told, half of them to warm up
ROUNDS = 3  # of such trials, all networks taking turns, so that what else the machine does falls on all alike
FREE = (
    "out",
    "seed",
    "device",
    "workers",
    "log_every",
    "save_every",
    "eval_every",
    "check_data",
    "fit_memory",
)  # settings that do not change what is measured, or that change from run to run

Train = Callable[..., object]  # as `training.train.train`


@dataclass(frozen=True)
class Budget:
    """What every network gets: its settings' iterations, or so many seconds of training; and how many seeds."""

    seconds: float | None = None
    seeds: int = 1

    def __post_init__(self) -> None:
        """Refuse an empty budget."""
        if self.seeds < 1:
            raise SegNextError(f"--seeds is {self.seeds}; it must be at least 1")
        if self.seconds is not None and self.seconds <= 0:
            raise SegNextError(f"--seconds is {self.seconds}; it must be positive")


@dataclass(frozen=True)
class Entry:
    """A network that takes part.

    Attributes:
        name: of its folder.
        config: how it is trained; `out` is its folder, in which every seed has its own, `seed` the first seed.
    """

    name: str
    config: TrainConfig


@dataclass(frozen=True)
class Trained:
    """What became of an entry.

    Attributes:
        runs: folders of the seeds that were trained.
        iterations: steps of each seed.
        seconds_per_step: of training alone, the median over the seeds; NaN without one.
        failure: why a seed could not be trained, or "".
    """

    runs: tuple[Path, ...]
    iterations: int
    seconds_per_step: float
    failure: str = ""


def require_comparable(configs: Iterable[TrainConfig]) -> None:
    """Refuse, before the first of them is trained, settings that cannot be those of a comparison on val.

    Raises:
        SegNextError: that says what is wrong, with the data too, which would be wrong for every network.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SegNextError("networks are trained one after another in one process; start it without torchrun")
    seen = set()
    for config in configs:
        if config.val_split is None:
            raise SegNextError("mIoU on val is what is compared; give a --val_split")
        splits = (config.train_split, config.val_split)
        if (splits, config.data) in seen:
            continue
        seen.add((splits, config.data))
        folder = open_data(Path(config.data), config.format)
        for split in splits:
            folder.pairs(split)
        if config.check_data:
            check_data(folder, splits)


def contest(
    entries: Sequence[Entry],
    budget: Budget,
    show: Callable[[str, Trained], None],
    carry_out: Train | None = None,
) -> dict[str, Trained]:
    """Train the entries with every seed; go on where an earlier call stopped.

    Args:
        entries: the networks.
        budget: steps or seconds, and seeds.
        show: called with the name of an entry that is done.
        carry_out: carries out a run; None for this process.

    Returns:
        What became of each, by name. One that cannot be trained is told of, and the others go on.
    """
    steps = _iterations(entries, budget)
    found = {}
    for entry in entries:
        found[entry.name] = _entry(entry, steps[entry.name], budget, carry_out or train)
        show(entry.name, found[entry.name])
    return found


def _entry(entry: Entry, steps: int | str, budget: Budget, carry_out: Train) -> Trained:
    """Train one network with each seed."""
    if isinstance(steps, str):
        return Trained((), entry.config.iterations, float("nan"), steps)
    runs: list[Path] = []
    seconds: list[float] = []
    failure = ""
    config = replace(entry.config, iterations=steps, eval_every=steps)  # measured once, at the end
    try:
        for seed in range(config.seed, config.seed + budget.seeds):
            run = replace(config, seed=seed, out=str(Path(config.out) / f"seed-{seed}"), check_data=False)
            _complete(run, carry_out)
            runs.append(Path(run.out))
            seconds.append(_seconds_per_step(run))
    except SegNextError as error:
        failure = str(error)
    return Trained(tuple(runs), steps, statistics.median(seconds) if seconds else float("nan"), failure)


def _complete(run: TrainConfig, carry_out: Train) -> None:
    """A run to its last step: started, gone on with, or found done."""
    out = Path(run.out)
    last = out / "last.safetensors"
    if not (last.exists() and load_weights(last).provenance.step == run.iterations):
        carry_out(run, resume=(out / "config.yaml").exists())


def _seconds_per_step(run: TrainConfig) -> float:
    """The median over the second half of the log, when caches and clocks have settled."""
    _, seconds = series(read_log(Path(run.out) / "log.jsonl")[0], "seconds_per_image")
    images_per_step = run.batch_size * run.accumulate
    return float(statistics.median(seconds[len(seconds) // 2 :])) * images_per_step


def _iterations(entries: Sequence[Entry], budget: Budget) -> dict[str, int | str]:
    """Steps of each entry, or why it cannot be trained.

    Of a budget in seconds they are told by trial steps, and told once, so that an interrupted run goes on as it began.
    """
    if budget.seconds is None:
        return {entry.name: entry.config.iterations for entry in entries}
    files = {entry.name: Path(entry.config.out) / "iterations.json" for entry in entries}
    seconds, failures = _trials([entry for entry in entries if not files[entry.name].exists()])
    for name, step in seconds.items():
        files[name].parent.mkdir(parents=True, exist_ok=True)
        write_json(max(1, round(budget.seconds / step)), files[name])
    return failures | {name: json.loads(file.read_text()) for name, file in files.items() if name not in failures}


def _trials(entries: Sequence[Entry]) -> tuple[dict[str, float], dict[str, int | str]]:
    """Seconds of a step of each entry, the median over the rounds; of those that cannot be trained, why."""
    times: dict[str, list[float]] = {entry.name: [] for entry in entries}
    failures: dict[str, int | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            for entry in (entry for entry in entries if entry.name not in failures):
                out = f"{folder}/{entry.name}-{number}"
                probe = replace(entry.config, out=out, iterations=PROBE, log_every=1, check_data=False)
                probe = replace(probe, val_split=None, patience=None)
                try:
                    train(probe)
                    times[entry.name].append(_seconds_per_step(probe))
                except SegNextError as error:
                    failures[entry.name] = str(error)
    return {name: statistics.median(found) for name, found in times.items() if name not in failures}, failures


def keep_settings(file: Path, settings: Mapping[str, Any], config: TrainConfig) -> None:
    """Write down what decides the results of the runs beside `file`, or refuse others than those that are there.

    Args:
        file: JSON.
        settings: what is not in the config, by name.
        config: of the runs.

    Raises:
        SegNextError: when the runs there had other settings, or the folder cannot be written.
    """
    now = _plain(config) | {"data": str(Path(config.data).resolve()), **settings}
    if not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(now, file)
        except OSError as error:
            raise SegNextError(f"{file.parent}: cannot be written ({error.strerror}); choose another --out") from error
        return
    # Settings that training did not have yet were at their defaults.
    earlier = _merged(_plain(TrainConfig(data="", out="")), json.loads(file.read_text(encoding="utf-8")))
    for name, value in now.items():
        if value != earlier.get(name):
            raise SegNextError(
                f"{file.parent}: its runs have {name} {earlier.get(name)}, not {value}, and would not compare; give "
                "the same settings, or another --out"
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
