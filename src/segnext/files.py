"""Writing files so that a reader never sees half of one, and listing those that are there."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

RUBBISH = frozenset(("__macosx", "@eadir", "$recycle.bin"))  # folders that archives and file managers leave behind


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it takes `path`'s place, on failure it is removed.

    The file's content is on disk before it is renamed, so a crash leaves the old file or the new one.
    The suffix is kept, because image writers choose the format by it.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes left in `folder`."""
    for file in folder.iterdir():
        if re.fullmatch(r"\..+\.\d+(\.\w+)?", file.name):
            file.unlink(missing_ok=True)


def walk(folder: Path, told: Callable[[str, Path], None] = lambda what, path: None) -> Iterator[Path]:
    """The files below a folder, sorted by path; links are followed but for those to a folder above themselves.

    Args:
        folder: where to start; one that is not there holds nothing.
        told: called for what is passed over, with "loop" (a link to a folder above itself), "broken" (a link that
            leads nowhere, a folder that may not be read, a pipe or device), "empty" (a folder) or "hidden" (names that
            begin with a dot, and the folders of RUBBISH).
    """
    above: list[tuple[Iterator[os.DirEntry[str]], tuple[int, int]]] = []  # open folders: what is left in them, and who

    def enter(path: Path) -> None:
        try:
            status, entries = path.stat(), sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            return told("broken", path)
        identity = (status.st_dev, status.st_ino)
        if any(identity == other for _, other in above):
            return told("loop", path)
        above.append((iter(entries), identity))
        return None if entries else told("empty", path)

    if folder.is_dir():
        enter(folder)
    while above:
        entry = next(above[-1][0], None)
        if entry is None:
            above.pop()
        elif entry.name.startswith(".") or entry.name.lower() in RUBBISH:
            told("hidden", Path(entry.path))
        elif entry.is_dir():
            enter(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)
        else:
            told("broken", Path(entry.path))
