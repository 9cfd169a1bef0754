"""What engines make of weights, kept between processes.

CACHE/engines/DIGEST-VERSION/ENGINE/...   DIGEST of the weights, VERSION of all that turns them into files

Nothing in it is taken on trust: beside the files lie their digests, and what is cut, changed or missing is made anew.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from segnext.cache import cache_folder, temporary_cache
from segnext.plain import write_json
from segnext.progress import is_terminal, say

LENGTH = 16  # of a hexadecimal digest: enough to tell the weights of one machine apart
SEAL = "digests.json"  # {"made": {file: SHA-256}, "added": {file: SHA-256}}
SOURCES = ("model", "kernels", "inference/engines")  # the code that turns weights into files


def artefact(digest: str, engine: str, make: Callable[[Path], None]) -> Path:
    """The folder of what `engine` made of the weights, made now when it is not in the cache or not as it was written.

    It appears whole or not at all, and what older versions made of the same weights is removed. Where the cache
    cannot be written, another folder is taken.

    Args:
        digest: of the weights, hexadecimal.
        engine: the package whose version matters too, such as openvino.
        make: writes files into an empty folder.
    """
    name = f"{digest[:LENGTH]}-{_version(engine)}"
    try:
        return _found_or_made(cache_folder() / "engines", name, engine, make)
    except OSError:
        return _found_or_made(temporary_cache() / "engines", name, engine, make)


@contextmanager
def adding(folder: Path) -> Iterator[None]:
    """Within, an engine may add files to its artefact, one process at a time; then they are sealed, where they can be.

    What is not sealed is removed by the next process that needs the artefact, so it has to wait for who writes it.
    """
    with ExitStack() as turn:
        with suppress(OSError):  # a cache that cannot be written, to which nothing is added
            turn.enter_context(FileLock(folder.with_suffix(".lock")))
        yield
        with suppress(OSError):
            seal(folder)


def seal(folder: Path) -> None:
    """Note the digests of what an engine has added to its artefact since."""
    known = _sealed(folder)
    listed = {SEAL, *known["made"], *known["added"]}
    if added := {file.name: _digest(file) for file in folder.iterdir() if file.name not in listed}:
        write_json({**known, "added": {**known["added"], **added}}, folder / SEAL)


def _found_or_made(root: Path, name: str, engine: str, make: Callable[[Path], None]) -> Path:
    target = root / name / engine
    if _is_whole(target) and not _unsealed(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if _is_whole(target):  # another process was quicker, or one that added to it was killed
            for file in _unsealed(target):
                file.unlink(missing_ok=True)
            return target
        if is_terminal(sys.stderr):
            say(f"preparing the network for {engine}, once for these weights")
        shutil.rmtree(target, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{engine}.", dir=target.parent))
        try:
            make(work)
            made = {file.name: _digest(file) for file in work.iterdir()}
            write_json({"made": made, "added": {}}, work / SEAL)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    _remove_older(root, name, engine)
    return target


def _is_whole(folder: Path) -> bool:
    """Whether all that was made is there as it was written."""
    made = _sealed(folder)["made"]
    return bool(made) and all(_digest(folder / name) == digest for name, digest in made.items())


def _unsealed(folder: Path) -> list[Path]:
    """What was added to an artefact, and is not as it was written."""
    known = _sealed(folder)
    added = (file for file in folder.iterdir() if file.name not in {SEAL, *known["made"]})
    return [file for file in added if _digest(file) != known["added"].get(file.name)]


def _sealed(folder: Path) -> dict[str, Any]:
    try:
        known = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return {kind: dict(known[kind]) for kind in ("made", "added")}
    except (OSError, ValueError, KeyError, TypeError):
        return {"made": {}, "added": {}}


def _digest(file: Path) -> str:
    """Of a file's content; empty where it cannot be read."""
    try:
        with file.open("rb") as content:
            digest = hashlib.sha256()
            while part := content.read(1 << 20):
                digest.update(part)
            return digest.hexdigest()
    except OSError:
        return ""


@cache
def _version(engine: str) -> str:
    """A digest of what turns weights into an artefact: our source, and the engine's version.

    Raises:
        FileNotFoundError: when one of `SOURCES` is not there: it would change unnoticed.
    """
    digest = hashlib.sha256(version(engine).encode())
    for folder in SOURCES:
        files = sorted((Path(__file__).parents[2] / folder).rglob("*.py"))
        if not files:
            raise FileNotFoundError(f"no source in {folder}, whose changes must make engines' files anew")
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:LENGTH]


def _remove_older(root: Path, name: str, engine: str) -> None:
    for folder in root.glob(f"{name[:LENGTH]}-*"):
        if folder.name != name:
            shutil.rmtree(folder / engine, ignore_errors=True)
            (folder / f"{engine}.lock").unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()
