"""Where things are kept that can be made or downloaded again."""

import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from segnext.progress import say


def cache_folder() -> Path:
    """SEGNEXT_CACHE where it is set, else the platform's folder for caches, else a temporary one; it may be missing."""
    if chosen := os.environ.get("SEGNEXT_CACHE"):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 - pathlib fails where there is no home
    try:
        folder = _platform_folder()
    except RuntimeError:  # this user has no home
        return temporary_cache()
    return folder if os.access(folder, os.R_OK | os.X_OK) or can_write(folder) else temporary_cache()


def can_write(folder: Path) -> bool:
    """Whether files can be written in `folder`, once it is made."""
    while not os.access(folder, os.F_OK) and folder != folder.parent:  # `exists` fails below what may not be entered
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


@cache
def temporary_cache() -> Path:
    """A folder for caches among the temporary files, this user's alone; says so, once."""
    folder = Path(tempfile.gettempdir()) / f"segnext-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (os.name == "posix" and (found.st_uid != _user() or found.st_mode & 0o077)):
        folder = Path(tempfile.mkdtemp(prefix="segnext-"))  # what others may write there is not to be trusted
    say(f"no folder for caches can be written; {folder} is used, set SEGNEXT_CACHE to choose another")
    return folder


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _platform_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "segnext" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/segnext"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segnext"
