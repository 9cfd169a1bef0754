"""A run's folder: made, claimed by one process, and left to the next run by one that did nothing."""

import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from segnext.documents import read_yaml
from segnext.errors import SegNextError
from segnext.files import claimed, remove_leftovers, replacing
from segnext.plain import to_yaml
from segnext.training.config import Settings
from segnext.training.log import read_log
from segnext.words import quoted


def require_new(out: Path) -> None:
    """Refuse a folder for a new run, before anything else is done.

    Raises:
        SegNextError: when it holds a run already, or cannot be written.
    """
    if (out / "config.yaml").exists():
        raise SegNextError(
            f"{out}: already holds a run; go on with it by --resume {quoted(out)}, or choose another --out"
        )
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SegNextError(f"{out}: cannot be written, because {there} cannot; choose another --out")


class RunFolder:
    """A run's folder, which one process at a time may write; one of several processes that train together does so.

    A new run that fails before its first step is done leaves nothing in the way of the next one.

    Attributes:
        resume: whether the run is in it already.
        begun: whether a step is done.
    """

    def __init__(self, out: Path, *, resume: bool, writes: bool) -> None:
        self.out, self.resume, self.begun = out, resume, resume
        self.writes = writes
        self.held = ExitStack()

    def __enter__(self) -> "RunFolder":
        if self.writes and self.resume:
            self._claim()
        elif self.writes:
            require_new(self.out)
        return self

    def begin(self, config: Settings) -> None:
        """Make a new run's folder, or tidy up after a killed process.

        Raises:
            SegNextError: when it cannot be written, or another process has begun a run there.
        """
        if not self.writes:
            return
        if not self.resume:
            if not self.out.exists():
                self.held.callback(self._remove_if_empty)
            try:
                self.out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _unwritable(self.out, error) from error
            self._claim()
            require_new(self.out)  # still
            write_recipe(config)
            self.resume = True
        remove_leftovers(self.out)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.held:
            if self.writes and isinstance(error, SegNextError) and self.resume and not self.begun:
                for name in ("config.yaml", "log.jsonl"):  # without them it is no run's folder
                    (self.out / name).unlink(missing_ok=True)
                shutil.rmtree(self.out / "tensorboard", ignore_errors=True)

    def _claim(self) -> None:
        out = self.out
        refusal = f"{out}: another process is training there; wait until it ends, or choose another --out"
        try:
            self.held.enter_context(claimed(out, refusal))
        except OSError as error:
            raise _unwritable(out, error) from error

    def _remove_if_empty(self) -> None:
        with suppress(OSError):  # there is something in it
            self.out.rmdir()


def write_recipe(config: Settings) -> None:
    """Write config.yaml into the run's folder.

    Raises:
        SegNextError: when it cannot be written.
    """
    out = Path(config.out)
    try:
        with replacing(out / "config.yaml") as temporary:
            temporary.write_text(to_yaml(asdict(config)), encoding="utf-8")
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> SegNextError:
    return SegNextError(f"{out}: cannot be written ({error.strerror}); choose another --out")


def progress_of(out: Path) -> tuple[int, int | None] | None:
    """The steps that the log of a run has, and all of the run where its recipe counts them; None for no run's folder.

    Raises:
        SegNextError: when its recipe cannot be read.
    """
    if not (out / "config.yaml").is_file():
        return None
    recipe = read_yaml(out / "config.yaml")
    whole = recipe.get("iterations") if isinstance(recipe, dict) else None
    try:
        lines = [line for part in read_log(out / "log.jsonl") for line in part]
    except SegNextError:
        lines = []
    done = max((int(line["step"]) for line in lines), default=0)
    return done, whole if isinstance(whole, int) else None
