"""Files: written so that a reader never sees half of one, listed, and what is wrong with the name of one."""

import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from segnext.choices import either, nearest
from segnext.errors import SegNextError

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # https://, s3://, rtsp://, ...: read by GDAL or FFmpeg
OURS = ".segnext-"  # how names begin that are for a while only
PATIENCE = 5.0  # seconds, in which a process that is ending gives up what it has claimed
LOOKED_AT = 1000  # names of a folder, in the search for one that was meant
RUBBISH = frozenset(("__macosx", "@eadir", "$recycle.bin"))  # folders that archives and file managers leave behind


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it takes `path`'s place, on failure it is removed.

    The file's content is on disk before it is renamed, so a crash leaves the old file or the new one.
    The suffix is kept, because image writers choose the format by it. The empty file is there already: nothing that
    lay there before, such as a link to another file, is written to. A pipe or a device, such as /dev/stdout, is itself
    what is yielded: it would be gone if a file took its place.
    """
    if is_device(path):
        yield path
        return
    temporary = _new_file(path)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):  # a full disk names no file
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def is_device(path: Path) -> bool:
    """Whether it is a pipe or a device, or a name for what a process has open, as /dev/stdout is."""
    if not path.exists() or path.is_dir():
        return False
    names = [path.parent.resolve(), path.readlink().parent if path.is_symlink() else path]
    return not path.is_file() or any(name.parts[:2] == ("/", "proc") for name in names)


def _new_file(path: Path) -> Path:
    """An empty file of a name that nobody knows before, beside `path`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    while True:
        temporary = path.with_name(f"{OURS}{secrets.token_hex(8)}{path.suffix}")
        try:
            os.close(os.open(temporary, flags, 0o666))
        except FileExistsError:
            continue
        except OSError as error:
            error.filename = str(path)  # what the user has asked for
            raise
        return temporary


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes left in `folder`."""
    for file in folder.iterdir():
        if re.fullmatch(rf"{re.escape(OURS)}[0-9a-f]{{16}}(\.\w+)?", file.name):
            file.unlink(missing_ok=True)


@contextmanager
def claimed(folder: Path, refusal: str, patience: float | None = None) -> Iterator[None]:
    """Within, no other process can claim `folder`; a claim goes with its process, however that ends.

    Args:
        folder: which is there, and may be written.
        refusal: what to say where another process has claimed it.
        patience: seconds to wait for it first; None for a few, in which it may just be ending.

    Raises:
        SegNextError: saying so.
    """
    from filelock import FileLock, Timeout  # only now: imports asyncio

    file = folder / f"{OURS}lock"
    lock = FileLock(file)
    try:
        lock.acquire(timeout=PATIENCE if patience is None else patience)
    except Timeout:
        raise SegNextError(refusal) from None
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()  # while we have it; one who has opened it meanwhile finds it gone, and tries anew
        lock.release()


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


def require_regular(name: str | Path, kind: str) -> None:
    """Refuse what is no file that can be read again and again.

    Args:
        name: the file.
        kind: what it should be, with its article.

    Raises:
        SegNextError: when it is missing or out of reach, or a folder, pipe, socket or device.
    """
    try:
        regular = stat.S_ISREG(Path(name).stat().st_mode)
    except FileNotFoundError as error:
        raise SegNextError(f"{name}: no such file{beside(Path(name))}; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise SegNextError(f"{name}: cannot be opened ({reason}); check its name and permissions") from error
    if not regular:
        raise SegNextError(f"{name}: a folder, pipe or device, not {kind}; name a file")


def beside(path: Path) -> str:
    """What a sentence about a path that is not there goes on with: " (did you mean X?)", of what is there; or ""."""
    while path.parent != path and not path.parent.exists():
        path = path.parent
    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), LOOKED_AT)]
    except OSError:
        return ""
    near = [str(path.with_name(name)) for name in nearest(path.name, names, 0.7)][:3]
    return f" (did you mean {either(near)}?)" if near and path.name else ""
