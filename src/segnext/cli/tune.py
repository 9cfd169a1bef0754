"""segnext tune: a search for the best settings of a training on your data."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.cli.outputs import complain, show
from segnext.cli.parser import Parser
from segnext.cli.train import parse
from segnext.errors import SegNextError
from segnext.words import unpredicted

if TYPE_CHECKING:
    from segnext.training.config import TrainConfig
    from segnext.tuning.study import Trial

DESCRIPTION = """Search the best settings of a training: any of its fields, by Optuna.
All settings of 'segnext train' are taken too, and hold for every trial: --data DIR --out DIR --iterations N, ...
Run again after an interruption: trials that are done are kept, the broken one goes on; more --trials go further."""
SPACE = "settings and where to look: 'optimizer.lr: {low: 1.0e-5, high: 1.0e-2, log: true}', 'batch_size: [4, 8]'"


def main(arguments: list[str]) -> int:
    """Parse, search, and write OUT/tune.html, tune.json and best.yaml. Returns 1 when a trial failed."""
    known, others = _parser().parse_known_args(arguments)
    if known.space is None:
        raise SegNextError("give --space FILE, the settings that are searched; see 'segnext tune --help'")
    if known.trials < 1:
        raise SegNextError(f"--trials is {known.trials}; it must be at least 1")

    def make(settings: dict[str, Any]) -> "TrainConfig":
        config, resume = parse([*others, *(f"--{name}={json.dumps(value)}" for name, value in settings.items())])
        if resume:
            raise SegNextError("a search is gone on with by giving the same --out; leave out --resume")
        return config

    base = make({})

    from segnext.training.stop import Stopped  # only now: torch takes a second to import
    from segnext.tuning.page import write
    from segnext.tuning.space import read_space
    from segnext.tuning.study import keep_best, tune

    out, space = Path(base.out), read_space(Path(known.space))
    title = f"Trials of {base.model} on {Path(base.data).resolve().name}"

    def tell(trials: "list[Trial]") -> None:
        write(trials, space, title, out)
        keep_best(trials, out)
        last = max(trials, key=lambda trial: trial.number)
        reached = last.failure or (
            "" if last.miou is None else f"mIoU {100 * last.miou:.2f} %{unpredicted(last.never_predicted)}"
        )
        show(f"{last.folder.name} {last.state}: {reached}; {_said(last)}")

    try:
        trials = tune(make, space, known.trials, out, tell)
    except Stopped as stop:
        complain("tune", f"{stop}; the same command goes on")
        return 128 + stop.signal
    if trials[0].miou is not None:
        never = unpredicted(trials[0].never_predicted)
        show(f"best: mIoU {100 * trials[0].miou:.2f} % with {_said(trials[0])}{never}")
        show(f"its recipe: {out / 'best.yaml'}; all trials: {out / 'tune.html'}, tune.json")
    return 1 if any(trial.failure for trial in trials) else 0


def _said(trial: "Trial") -> str:
    values = {name: f"{value:.4g}" if type(value) is float else value for name, value in trial.settings.items()}
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="segnext tune",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--space", metavar="FILE", help=SPACE)
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="how many in all (default: 20)")
    return parser
