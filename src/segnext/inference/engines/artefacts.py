"""What engines make of weights, kept between processes.

CACHE/engines/DIGEST-VERSION/ENGINE/...   DIGEST of the weights, VERSION of all that turns them into files
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import segnext
from segnext.checkpoint.cache import cache_folder
from segnext.progress import is_terminal, say

LENGTH = 16  # of a hexadecimal digest: enough to tell the weights of one machine apart


def artefact(digest: str, engine: str, make: Callable[[Path], None]) -> Path:
    """The folder of what `engine` made of the weights, made now when it is not in the cache.

    It appears whole or not at all, and what older versions made of the same weights is removed. Where the cache
    cannot be written, the folder is a temporary one of this process.

    Args:
        digest: of the weights, hexadecimal.
        engine: the package whose version matters too, such as openvino.
        make: writes files into an empty folder.
    """
    name = f"{digest[:LENGTH]}-{_version(engine)}"
    root = cache_folder() / "engines"
    target = root / name / engine
    if target.is_dir():
        return target
    if is_terminal(sys.stderr):
        say(f"preparing the network for {engine}, once for these weights")
    try:
        root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
    except OSError:
        return _temporary(make)
    try:
        (work / engine).mkdir()
        make(work / engine)
        target.parent.mkdir(exist_ok=True)
        _move(work / engine, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _remove_older(root, name, engine)
    return target


@cache
def _version(engine: str) -> str:
    """A digest of what turns weights into an artefact: the network's source, this package's, and the engine's."""
    digest = hashlib.sha256(version(engine).encode())
    for folder in ("model", "kernels", "inference/engines"):
        for file in sorted((Path(segnext.__file__).parent / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:LENGTH]


def _move(made: Path, target: Path) -> None:
    """Rename a finished folder; another process may have been quicker, and then its folder stays."""
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _remove_older(root: Path, name: str, engine: str) -> None:
    digest = name[:LENGTH]
    for folder in root.glob(f"{digest}-*"):
        if folder.name != name:
            shutil.rmtree(folder / engine, ignore_errors=True)
            if not any(folder.iterdir()):
                folder.rmdir()


_kept: list[tempfile.TemporaryDirectory[str]] = []  # until the process ends


def _temporary(make: Callable[[Path], None]) -> Path:
    _kept.append(tempfile.TemporaryDirectory(prefix=f"segnext-{os.getpid()}-"))
    folder = Path(_kept[-1].name)
    make(folder)
    return folder
