"""A run's folder: made, claimed by one process, and left to the next run by one that did nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.plain import to_yaml
from segnext.training.config import Settings


def require_new(out: Path) -> None:
    """Refuse a folder for a new run, before anything else is done.

    Raises:
        SegNextError: when it holds a run already, or cannot be written.
    """
    if (out / "config.yaml").exists():
        raise SegNextError(f"{out}: already holds a run; go on with it by --resume {out}, or choose another --out")
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SegNextError(f"{out}: cannot be written, because {there} cannot; choose another --out")


@contextmanager
def new_folder(config: Settings, begun: Callable[[], bool]) -> Iterator[None]:
    """Make a new run's folder; of a run that fails before it has `begun` nothing stays in the way of the next one."""
    out = Path(config.out)
    there = out.exists()
    write_recipe(config)
    try:
        yield
    except SegNextError:
        if not begun():
            for name in ("config.yaml", "log.jsonl"):  # without them it is no run's folder
                (out / name).unlink(missing_ok=True)
            shutil.rmtree(out / "tensorboard", ignore_errors=True)
            if not there:
                with suppress(OSError):  # somebody has put something into it
                    out.rmdir()
        raise


def write_recipe(config: Settings) -> None:
    """Write config.yaml into the run's folder, which is made if need be.

    Raises:
        SegNextError: when it cannot be written.
    """
    out = Path(config.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "config.yaml") as temporary:
            temporary.write_text(to_yaml(asdict(config)), encoding="utf-8")
    except OSError as error:
        raise SegNextError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
