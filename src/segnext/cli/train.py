"""segnext train: one training run, new or resumed."""

import argparse
import dataclasses
import os
import re
import sys
from pathlib import Path

import jsonargparse

from segnext.errors import SegNextError
from segnext.training.config import TrainConfig

DESCRIPTION = """Train a model on a data set folder.
New run: segnext train --data DIR --model segnext_t --out RUN, or --config RECIPE.yaml, whose fields flags override.
Fine-tune: add --from WEIGHTS, a name, file or run's folder.
Killed run: segnext train --resume RUN goes on as if nothing had happened.
Several devices: torchrun --nproc_per_node 4 -m segnext train ..."""
FROM = re.compile(r"--from(=|$)")  # a field of a dataclass cannot have this name, which is a word of Python


def main(arguments: list[str]) -> int:
    """Parse, train, and say what lies where. The flags are the fields of TrainConfig."""
    config, resume = parse(arguments)

    from segnext.training.loop import train  # only now: torch takes a second to import
    from segnext.training.stop import Stopped

    try:
        out = train(config, resume=resume)
    except Stopped as stop:
        print(f"segnext train: {stop}", file=sys.stderr)
        return 128 + stop.signal
    if os.environ.get("RANK", "0") == "0":
        _summarise(out)
    return 0


def _summarise(out: Path) -> None:
    """What the run has reached, and what lies where."""
    from segnext.checkpoint.file import load_weights

    best = out / "best.safetensors"
    if best.exists():
        provenance = load_weights(best).provenance
        metrics = provenance["metrics"]
        if metrics["miou"] is not None:  # as it is when val holds no labelled pixel
            print(f"best mIoU on {metrics['split']}: {metrics['miou']:.4f} at step {provenance['step']}")
    print(f"weights, log and pictures: {out}")
    print(f"segment pictures with them: segnext predict PATH --weights {out}")


def parse(arguments: list[str]) -> tuple[TrainConfig, bool]:
    """The run that the command line describes, and whether it is to be resumed.

    Raises:
        SegNextError: for wrong usage, or when the folder to resume holds no run.
    """
    resume = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    resume.add_argument("--resume")
    try:
        known, others = resume.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise SegNextError(f"{error}; see 'segnext train --help'") from error
    if known.resume is None:
        config = _config(["--from_weights" + part[6:] if FROM.match(part) else part for part in arguments])
        restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0  # torchrun, after a worker was lost
        return (config, False) if not restarted else _restarted(config)
    if others:
        raise SegNextError(f"--resume takes the run's own settings and no other flags; leave out {' '.join(others)}")
    file = Path(known.resume) / "config.yaml"
    if not file.is_file():
        raise SegNextError(f"{known.resume}: holds no run to resume (there is no config.yaml); start one with --out")
    return _config(["--config", str(file), "--out", known.resume]), True


def _restarted(config: TrainConfig) -> tuple[TrainConfig, bool]:
    """What torchrun started anew goes on with the run that it had begun."""
    if not (Path(config.out) / "config.yaml").is_file():
        return config, False
    return parse(["--resume", config.out])


def _config(arguments: list[str]) -> TrainConfig:
    parser = jsonargparse.ArgumentParser(prog="segnext train", description=DESCRIPTION, exit_on_error=False)
    parser.add_argument("--config", action="config", help="recipe file (YAML); flags after it override its fields")
    parser.add_argument("--resume", metavar="RUN", help="go on with the run in this folder; takes no other flags")
    parser.add_class_arguments(TrainConfig)
    try:
        values = parser.instantiate(parser.parse_args(arguments))
    except argparse.ArgumentError as error:
        raise SegNextError(f"{' '.join(str(error).split())}; see 'segnext train --help'") from error
    return TrainConfig(**{field.name: values[field.name] for field in dataclasses.fields(TrainConfig)})
