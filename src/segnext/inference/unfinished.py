"""A folder for what is finished of a result that is not whole yet; a run that was killed goes on from there.

Several processes, on as many machines as see the folder, may each make a share of it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.inference.kinds import is_stream

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter

SETTINGS = "settings.json"
Share = tuple[int, int]  # which part of the work, and of how many


def own_share() -> Share:
    """The share of a process that torchrun has started; all of the work elsewhere."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def folder_for(out: Path) -> Path:
    """Where the parts of the result `out` are."""
    return out.with_name(f".{out.name}.parts")


def begin(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder, or find it as a run with the same settings has left it.

    Raises:
        SegNextError: when what is there was made with other settings, or nothing can be written.
    """
    file = folder / SETTINGS
    text = json.dumps(settings, sort_keys=True, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            with replacing(file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        before = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SegNextError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another place with --out"
        ) from error
    if before != text:
        raise SegNextError(
            f"{folder}: holds parts of a run with another input or other settings "
            f"({_difference(before, settings)}); repeat it as it was, or delete the folder"
        )


def fits(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether a run with these settings has left its parts there."""
    try:
        return (folder / SETTINGS).read_text(encoding="utf-8") == json.dumps(settings, sort_keys=True, indent=1)
    except (OSError, ValueError):
        return False


@contextmanager
def alone(folder: Path, share: Share) -> Iterator[None]:
    """Hold the lock of a share of the work, which ends with the process.

    Raises:
        SegNextError: when another process holds it.
    """
    lock = filelock.FileLock(folder / f"share-{share[0]}-{share[1]}.lock", blocking=False)
    try:
        with lock:
            yield
    except filelock.Timeout as error:
        raise SegNextError(
            f"{folder}: another process makes this part; wait for it, or give each process its own --share"
        ) from error


def require_idle(folder: Path) -> None:
    """Refuse to begin another run while processes still work on the one whose parts are in `folder`.

    Raises:
        SegNextError: saying so.
    """
    for file in folder.glob("share-*.lock"):
        try:
            filelock.FileLock(file, blocking=False).acquire().lock.release()
        except filelock.Timeout as error:
            raise SegNextError(
                f"{folder.parent}: another process writes its results there, of other inputs or with other settings; "
                "wait for it or choose another --out"
            ) from error


@contextmanager
def joining(folder: Path) -> Iterator[bool]:
    """Hold the lock of putting the parts together; yields whether they are still there, or another process did it."""
    if not folder.is_dir():
        yield False
        return
    lock = filelock.FileLock(folder / "join.lock")
    lock.acquire()
    there = (folder / SETTINGS).exists()
    try:
        yield there
    finally:
        lock.release()
        if not there:  # it went meanwhile, and the lock made it anew
            shutil.rmtree(folder, ignore_errors=True)


def made_by(segmenter: "Segmenter") -> dict[str, Any]:
    """What of a segmenter the results depend on."""
    engine, testing = segmenter.engine, asdict(segmenter.testing)
    return {
        "weights": segmenter.weights().digest,
        "engine": [engine.name, engine.precision, engine.streams],
        "testing": {key: list(value) if isinstance(value, tuple) else value for key, value in testing.items()},
        "threshold": segmenter.threshold,
    }


def identity(name: str | Path) -> list[Any]:
    """What tells an input apart from others, and from itself once it was changed."""
    if is_stream(name):
        return [str(name)]
    status = Path(name).stat()
    return [Path(name).name, status.st_size, status.st_mtime_ns]


def digest(settings: Any) -> str:
    """A short text that stands for settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _difference(before: str, settings: dict[str, Any]) -> str:
    """The names of the settings that differ."""
    try:
        old = json.loads(before)
        return ", ".join(sorted(key for key in {*old, *settings} if old.get(key) != settings.get(key)))
    except (ValueError, AttributeError, TypeError):
        return "unreadable"
