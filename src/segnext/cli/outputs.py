"""What commands print, and the files they are asked to write, checked before the work begins."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from segnext import plain
from segnext.errors import SegNextError
from segnext.files import is_device
from segnext.progress import say
from segnext.words import printable

STDOUT = Path("-")  # in place of a file, for programs


def show(line: str) -> None:
    """Print a line; what is in file names does nothing to the terminal."""
    print(printable(line), flush=True)


def complain(command: str, message: str) -> None:
    """Say on stderr, in the way of all errors, what failed while the rest went on."""
    say(f"segnext {command}: {printable(message)}")


@contextmanager
def results_alone(json_file: Path | None) -> Iterator[None]:
    """Within, what is printed for people goes to stderr where the results for programs go to stdout (`--json -`)."""
    if json_file == STDOUT:
        results = sys.stdout
        with redirect_stdout(sys.stderr):
            _results.append(results)
            try:
                yield
            finally:
                _results.pop()
    else:
        yield


_results: list[Any] = []  # where the results for programs go while people's text goes to stderr


def write_results(content: Any, path: Path, what: str = "json") -> None:
    """Write what a program reads, to the file that `--json` named or to stdout, and say so to people."""
    if path == STDOUT:
        stream = _results[-1] if _results else sys.stdout
        stream.writelines(plain.to_json(content))
        stream.flush()
    else:
        plain.write_json(content, path)
        show(f"{what}: {path}")


def beside(json_file: Path | None, ending: str) -> Path | None:
    """The picture that is drawn when none is named: NAME.ENDING beside NAME.json, where that is asked for."""
    return None if json_file in (None, STDOUT) else json_file.with_name(json_file.stem + ending)


def require_writable(path: Path, flag: str) -> None:
    """Make the folder of `path`, so that a long run does not fail at its end.

    Raises:
        SegNextError: when `path` cannot be written; `flag` is the option that named it.
    """
    if path == STDOUT or (is_device(path) and os.access(path, os.W_OK)):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegNextError(f"{path}: cannot make its folder ({error.strerror}); choose another {flag}") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise SegNextError(f"{path}: cannot be written; choose another {flag}")
