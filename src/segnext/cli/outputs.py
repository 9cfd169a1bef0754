"""What a command says of errors, and the files it is asked to write, checked before the work begins."""

import os
import sys
from pathlib import Path

from segnext.errors import SegNextError


def complain(command: str, message: str) -> None:
    """Say on stderr, in the way of all errors, what failed while the rest went on."""
    print(f"segnext {command}: {message}", file=sys.stderr)


def require_writable(path: Path, flag: str) -> None:
    """Make the folder of `path`, so that a long run does not fail at its end.

    Raises:
        SegNextError: when `path` cannot be written; `flag` is the option that named it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegNextError(f"{path}: cannot make its folder ({error.strerror}); choose another {flag}") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise SegNextError(f"{path}: cannot be written; choose another {flag}")
