"""The command line: parse, call one function, print."""

import argparse
import importlib
import io
import os
import sys
from typing import NoReturn

from segnext.errors import SegNextError

COMMANDS = {
    "predict": "segment pictures: masks, overlays, shares of the classes",
    "train": "train a model on a data set folder, or resume a run",
    "eval": "measure weights on a labelled split",
    "pretrain": "pre-train an encoder on pictures sorted by class, or resume a run",
    "convert": "turn official checkpoints into our weights file, and back",
    "data": "prepare data set folders",
    "ablate": "train the networks of the paper's ablation table on a data set, and tabulate them",
    "bench": "measure how long each stage takes, engine by engine",
    "info": "count parameters and multiply-adds, beside the paper's figures",
}
RUNS = ("train", "pretrain", "ablate")  # their flags are the fields of a dataclass, which they parse themselves

USAGE = f"""usage: segnext COMMAND ...

{os.linesep.join(f"  {name:10}{does}" for name, does in COMMANDS.items())}

segnext COMMAND --help says more; --debug shows the traceback of an error; segnext --version prints the version.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 all done, 1 some inputs failed and the others are done, 2 wrong usage or nothing could be done.
    """
    if arguments is None:  # the whole process is this command
        from segnext.interrupt import end_when_interrupted

        end_when_interrupted()
        arguments = sys.argv[1:]
    arguments = list(arguments)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    if not arguments:
        print(USAGE, end="", file=sys.stderr)
        return 2
    name = arguments[0]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid text
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what it cannot read is said by us, in one line
    try:
        return _run(name, arguments[1:])
    except KeyboardInterrupt:
        print(f"segnext {name}: interrupted", file=sys.stderr)
        print(end="", flush=True)  # now: the process may be ended before Python would do so
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (SegNextError, OSError) as error:  # an OSError names its file: a full disk, a folder that may not be read
        if debug:
            raise
        print(f"segnext {name}: {error}", file=sys.stderr)
        return 2
    except SystemExit as stop:  # argparse, after --help
        return int(stop.code or 0)


def _run(name: str, arguments: list[str]) -> int:
    if name in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if name == "--version":
        from importlib.metadata import version

        print(f"segnext {version('segnext')}")
        return 0
    if name not in COMMANDS:
        raise SegNextError(f"there is no such command; choose from {', '.join(COMMANDS)}")
    command = importlib.import_module(f"segnext.cli.{name}")
    if name in RUNS:
        return int(command.main(arguments))
    parser = _Parser(prog=f"segnext {name}", description=COMMANDS[name])
    command.add_arguments(parser)
    return int(command.run(parser.parse_args(arguments)))


class _Parser(argparse.ArgumentParser):
    """argparse, whose errors are one line like all others."""

    def error(self, message: str) -> NoReturn:
        raise SegNextError(f"{message}; see '{self.prog} --help'")
