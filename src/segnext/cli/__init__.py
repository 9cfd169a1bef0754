"""The command line: parse, call one function, print."""

import errno
import importlib
import io
import os
import sys
import tempfile
import traceback
from contextlib import suppress

from segnext.choices import meant
from segnext.cli.parser import Parser, hyphened
from segnext.errors import SegNextError
from segnext.progress import say
from segnext.words import printable

COMMANDS = {
    "predict": "segment pictures: masks, overlays, shares of the classes",
    "train": "train a model on a data set folder, or resume a run",
    "eval": "measure weights on a labelled split",
    "pretrain": "pre-train an encoder on pictures sorted by class, or resume a run",
    "export": "write an ONNX, OpenVINO or torch.export file that agrees with ours, or none",
    "convert": "turn official checkpoints into our weights file, and back",
    "data": "prepare data set folders",
    "ablate": "train the networks of the paper's ablation table on a data set, and tabulate them",
    "compare": "train and measure networks side by side: equal data, equal budget, several seeds",
    "tune": "search the best settings of a training, trial by trial",
    "bench": "measure how long each stage takes, engine by engine",
    "info": "what weights are: classes, scores, licence, speed; what networks are made of",
}
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
FAULT = 70  # exit code of a fault of ours, as EX_SOFTWARE of BSD's sysexits
RUNS = (
    "train",
    "pretrain",
    "ablate",
    "compare",
    "tune",
)  # their flags are the fields of a dataclass, which they parse themselves

USAGE = f"""usage: segnext COMMAND ...

{os.linesep.join(f"  {name:10}{does}" for name, does in COMMANDS.items())}

segnext COMMAND --help says more; --debug shows the traceback of an error; segnext --version prints the version.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 all done, 1 some inputs failed and the others are done, 2 wrong usage or nothing could be done,
        70 a fault of ours.
    """
    try:
        return _main(arguments)
    finally:
        _give_up_unwritten()


def _main(arguments: list[str] | None) -> int:
    if arguments is None:  # the whole process is this command
        from segnext.interrupt import end_when_interrupted

        end_when_interrupted()
        arguments = sys.argv[1:]
    arguments = list(arguments)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    _mend_streams()
    if not arguments:
        say(USAGE.rstrip())
        return 2
    name = arguments[0]
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what it cannot read is said by us, in one line
    try:
        code = _run(name, arguments[1:])
        sys.stdout.flush()  # now, so that a full disk or a pipe without a reader is noticed
        return code
    except KeyboardInterrupt:
        say(f"segnext {name}: interrupted")
        with suppress(OSError):
            sys.stdout.flush()  # now: the process may be ended before Python would do so
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
        return 141
    except (SegNextError, OSError) as error:  # an OSError names its file: a full disk, a folder that may not be read
        if debug:
            raise
        say(f"segnext {printable(name)}: {printable(_sentence(error))}")
        return 2
    except SystemExit as stop:  # argparse, after --help
        return int(stop.code or 0)
    except Exception as error:
        _report(name, error, debug)
        return FAULT


def _sentence(error: Exception) -> str:
    """What an error says; of one for lack of room, which names no file or only that, also what to do."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return f"{error.filename or 'a file'}: cannot be written ({error.strerror}); make room, then run it again"
    return str(error)


def _give_up_unwritten() -> None:
    """Drop what cannot be written, as to a full disk or a pipe without a reader.

    Else Python tries again at its end, and makes 120 of the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _mend_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr some that lead nowhere.

    Else the first files that are opened would take their numbers, and what libraries print would go into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, _Nowhere())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text


class _Nowhere(io.TextIOBase):
    """A stream for what nobody will read."""

    def write(self, text: str) -> int:
        return len(text)


def _report(name: str, error: Exception, debug: bool) -> None:
    """Say that we are to blame, and how to tell us."""
    trace = "".join(traceback.format_exception(error))
    if debug:
        say(trace.rstrip())
        place = "with what is printed above"
    else:
        try:
            with tempfile.NamedTemporaryFile(
                "w", prefix="segnext-fault-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
            ) as file:
                file.write(f"{sys.argv}\n{trace}")
            place = f"with {file.name}"
        except OSError:
            place = "with what --debug prints"
    problem = printable(f"{type(error).__name__}: {error}"[:300])
    say(f"segnext {name}: a fault of segnext's, not of yours ({problem}); please report it {place}")


def _run(name: str, arguments: list[str]) -> int:
    if name == "help" and arguments:  # help COMMAND
        name, arguments = arguments[0], [*arguments[1:], "--help"]
    if name in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0
    if name in ("-V", "--version", "version"):
        from importlib.metadata import version

        print(f"segnext {version('segnext')}")
        return 0
    if name not in COMMANDS:
        near = meant(name, ("--help", "--version") if name.startswith("-") else COMMANDS, "'segnext {}'")
        raise SegNextError(f"there is no such command; {near}")
    command = importlib.import_module(f"segnext.cli.{name}")
    if name in RUNS:
        return int(command.main(arguments))
    parser = Parser(prog=f"segnext {name}", description=COMMANDS[name], allow_abbrev=False)
    command.add_arguments(parser)
    args = parser.parse_args(list(map(hyphened, arguments)))
    from segnext.cli.outputs import results_alone

    with results_alone(getattr(args, "json", None)):
        return int(command.run(args))
