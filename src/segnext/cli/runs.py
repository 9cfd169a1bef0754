"""What the commands have in common whose flags are the fields of a run's configuration."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import jsonargparse

from segnext.cli.wrong_settings import sentence
from segnext.errors import SegNextError
from segnext.training.config import Settings

Config = TypeVar("Config", bound=Settings)


def parse_run(config_class: type[Config], command: str, description: str, arguments: list[str]) -> tuple[Config, bool]:
    """The run that the command line describes, and whether it is to be resumed.

    Raises:
        SegNextError: for wrong usage, or when the folder to resume holds no run.
    """
    arguments = [_underscored(argument) for argument in arguments]
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--resume")
    first.add_argument("--config")
    first.add_argument("--data")
    try:
        known, others = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise SegNextError(f"{error}; see 'segnext {command} --help'") from error
    recipe = [] if known.config is None else ["--config", known.config]  # first: flags override it, wherever it is
    data = [] if known.data is None else ["--data", known.data]
    others = [*recipe, *others]
    if known.resume is None:
        config = _config(config_class, command, description, [*others, *data])
        restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0  # torchrun, after a worker was lost
        if not restarted or not (Path(config.out) / "config.yaml").is_file():
            return config, False
        known.resume, others = config.out, []
    if others:
        message = f"--resume takes the run's own settings and no other flags but --data; leave out {' '.join(others)}"
        if command == "train":
            message += f", or begin a new run with this one's weights: --from {known.resume} --out ANOTHER"
        raise SegNextError(message)
    file = Path(known.resume) / "config.yaml"
    if not file.is_file():
        raise SegNextError(f"{known.resume}: holds no run to resume (there is no config.yaml); start one with --out")
    # The data may have been moved since.
    return _config(config_class, command, description, ["--config", str(file), "--out", known.resume, *data]), True


def _underscored(argument: str) -> str:
    """A flag as its field is spelled: --batch-size is --batch_size."""
    flag, equals, value = argument.partition("=")
    return flag.replace("-", "_").replace("__", "--", 1) + equals + value if flag.startswith("--") else argument


def exit_code_of(command: str, run: Callable[[], Path], summarise: Callable[[Path], None]) -> int:
    """Run, and say in one process what has come of it; the exit code."""
    from segnext.training.stop import Stopped

    main = os.environ.get("RANK", "0") == "0"
    try:
        out = run()
    except Stopped as stop:
        with suppress(OSError):  # the terminal is gone, as SIGHUP tells
            if main:
                print(f"segnext {command}: {stop}", file=sys.stderr)
        return 128 + stop.signal
    if main:
        summarise(out)
    return 0


def _config(config_class: type[Config], command: str, description: str, arguments: list[str]) -> Config:
    parser = jsonargparse.ArgumentParser(
        prog=f"segnext {command}", description=description, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("--config", action="config", help="recipe file (YAML); flags override its fields")
    parser.add_argument(
        "--resume", metavar="RUN", help="go on with the run in this folder; takes no other flag but --data"
    )
    parser.add_class_arguments(config_class)
    try:
        values = parser.instantiate(parser.parse_args(arguments))
    except argparse.ArgumentError as error:
        raise SegNextError(f"{sentence(error, config_class)}; see 'segnext {command} --help'") from error
    fields = dataclasses.fields(config_class)
    return config_class(**{field.name: values[field.name] for field in fields})
