"""Networks trained one after another with one budget, in folders of their own; what is done is kept."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from segnext.checkpoint.weights import load_weights
from segnext.compare.apart import told
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
Clock = Literal["wall", "processor"]
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


@dataclass(frozen=True)
class Budget:
    """What every network gets.

    Attributes:
        seconds: of training; None for its settings' iterations.
        seeds: how often each is trained.
        clock: what the seconds are of: the wall's clock; or the processor's, summed over its cores, which other
            programs hardly change.
    """

    seconds: float | None = None
    seeds: int = 1
    clock: Clock = "wall"

    def __post_init__(self) -> None:
        """Refuse an empty budget."""
        if self.clock not in get_args(Clock):
            raise SegNextError(f"--clock is {self.clock}; choose from {', '.join(get_args(Clock))}")
        if self.seeds < 1:
            raise SegNextError(f"--seeds is {self.seeds}; it must be at least 1")
        if self.seconds is not None and self.seconds <= 0:
            raise SegNextError(f"--seconds is {self.seconds}; it must be positive")

    @property
    def of_a_run(self) -> dict[str, Any]:
        """What a run gets, which is not to change while a comparison is gone on with."""
        return {"seconds": self.seconds, "clock": self.clock}


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
        failure: why a seed could not be trained, or "".
        seconds: that the steps of each seed took, measuring and saving left out.
    """

    runs: tuple[Path, ...]
    iterations: int
    failure: str = ""
    seconds: tuple[float, ...] = ()

    @property
    def seconds_per_step(self) -> float:
        """The median over the seeds; NaN without one."""
        return statistics.median(self.seconds) / self.iterations if self.seconds else float("nan")


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

    All are trained with the first seed, then all with the second: what a machine does beside falls on all alike, and a
    comparison that is interrupted has something of each.

    Args:
        entries: the networks.
        budget: steps or seconds, and seeds.
        show: called after every run, with the name of its entry and what became of it so far.
        carry_out: carries out a run; None for this process.

    Returns:
        What became of each, by name. One that cannot be trained is told of, and the others go on.
    """
    planned = zip(entries, _iterations(entries, budget), strict=True)
    found = {entry.name: _none(entry, steps) for entry, steps in planned}
    for number in range(budget.seeds):
        for entry in entries:
            before = found[entry.name]
            if not before.failure:
                found[entry.name] = _another(entry, number, before, carry_out or train)
            if number == 0 or not before.failure:
                show(entry.name, found[entry.name])
    return found


def _none(entry: Entry, steps: int | str) -> Trained:
    """Before the first seed."""
    return Trained((), entry.config.iterations, steps) if isinstance(steps, str) else Trained((), steps)


def _another(entry: Entry, number: int, before: Trained, carry_out: Train) -> Trained:
    """One more seed of a network, which is measured once, at the end."""
    config, steps, seed = entry.config, before.iterations, entry.config.seed + number
    out = Path(config.out) / f"seed-{seed}"
    run = replace(config, iterations=steps, eval_every=steps, seed=seed, out=str(out), check_data=False)
    try:
        _complete(run, carry_out)
    except Exception as error:  # of a network of the user's own, any
        return replace(before, failure=told(error))
    return replace(before, runs=(*before.runs, out), seconds=(*before.seconds, _seconds(run)))


def _complete(run: TrainConfig, carry_out: Train) -> None:
    """A run to its last step: started, gone on with, or found done."""
    out = Path(run.out)
    last = out / "last.safetensors"
    if not (last.exists() and load_weights(last).provenance.step == run.iterations):
        carry_out(run, resume=(out / "config.yaml").exists())


def _seconds(run: TrainConfig) -> float:
    """Of its steps, after its log, whose lines tell of the steps since the line before."""
    steps, seconds = series(read_log(Path(run.out) / "log.jsonl")[0], "seconds_per_image")
    lines = zip(pairwise((0, *steps)), seconds, strict=True)
    return sum((last - first) * second for (first, last), second in lines) * run.batch_size * run.accumulate


def _iterations(entries: Sequence[Entry], budget: Budget) -> list[int | str]:
    """Steps of each entry, or why it cannot be trained.

    Of a budget in seconds they are told by trial steps, and told once, so that an interrupted run goes on as it began.
    """
    if budget.seconds is None:
        return [entry.config.iterations for entry in entries]
    files = {entry.name: Path(entry.config.out) / "iterations.json" for entry in entries}
    trials = _trials([entry for entry in entries if not files[entry.name].exists()], CLOCKS[budget.clock])
    for name, seconds in trials.items():
        if not isinstance(seconds, str):
            files[name].parent.mkdir(parents=True, exist_ok=True)
            write_json(max(1, round(budget.seconds / seconds)), files[name])
    failures = {name: failure for name, failure in trials.items() if isinstance(failure, str)}
    return [failures.get(name) or int(json.loads(file.read_text())) for name, file in files.items()]


def _trials(entries: Sequence[Entry], clock: Callable[[], float]) -> dict[str, float | str]:
    """Seconds of a step of each entry, the median over the rounds; of those that cannot be trained, why."""
    times: dict[str, list[float]] = {entry.name: [] for entry in entries}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            for entry in (entry for entry in entries if entry.name not in failures):
                config = replace(entry.config, out=f"{folder}/{entry.name}-{number}")
                try:
                    times[entry.name].append(_trial(config, clock))
                except Exception as error:
                    failures[entry.name] = told(error)
    return {name: failures.get(name) or statistics.median(found) for name, found in times.items()}


def _trial(config: TrainConfig, clock: Callable[[], float]) -> float:
    """Seconds of a step: the median over the second half of a short run, when caches and clocks have settled."""
    ticks: list[float] = []
    probe = replace(config, iterations=PROBE, log_every=1, check_data=False, val_split=None, patience=None)
    train(probe, on_step=lambda step, taken: ticks.append(clock()))
    return statistics.median(last - first for first, last in pairwise(ticks[PROBE // 2 - 1 :]))


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
    defaults = _plain(TrainConfig(data="", out="")) | {"clock": Budget.clock}
    earlier = _merged(defaults, json.loads(file.read_text(encoding="utf-8")))
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
