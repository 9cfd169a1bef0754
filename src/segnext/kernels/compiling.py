"""How kernels are compiled, and the compiled code kept for the next process."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import filelock
import numba
from numba.core.caching import FunctionCache

from segnext.cache import cache_folder, can_write

PATIENCE = 10.0  # seconds that a process waits while another one keeps what it has compiled
TURN = 30.0  # seconds that a process waits while another one compiles


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Numba's decorator, for code that runs without Python's lock and is kept beside its source.

    Args:
        options: of `numba.njit`.

    Raises:
        RuntimeError: when numba finds no folder for what is compiled.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(nogil=True, **options)(function)
        dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]
        return dispatcher

    return decorate


@contextmanager
def in_turn() -> Iterator[None]:
    """One process compiles, and those that begin at the same time find it kept, instead of each compiling the same."""
    folder = cache_folder()
    with ExitStack() as turn:
        if can_write(folder):
            with suppress(filelock.Timeout, OSError):  # then all of them compile
                folder.mkdir(parents=True, exist_ok=True)
                turn.enter_context(filelock.FileLock(folder / "kernels.lock", timeout=TURN))
        yield


@cache
def _sources() -> bytes:
    """What all kernels are written in."""
    found = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.digest()


class _Cache(FunctionCache):
    """numba's cache, without which a kernel works as well: what cannot be kept or read is compiled again.

    numba looks at a kernel's own file; what it has from other files is compiled into it, so here all of them count.
    """

    def _index_key(self, *arguments: Any) -> Any:
        return (*super()._index_key(*arguments), _sources())  # type: ignore[no-untyped-call]

    def load_overload(self, *arguments: Any) -> Any:
        """What was kept; None where that is nothing, or was cut when a process or the machine ended."""
        try:
            return super().load_overload(*arguments)  # type: ignore[no-untyped-call]
        except Exception:  # pickle's errors have no common kind
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep what was compiled, where there is room.

        numba writes the index first: without its data it would name those of an older source, so it goes too. It
        numbers the data by the index that it has read, so two processes at once would give two of them one number, and
        the code for one type would be taken for the other's: one writes at a time.
        """
        index = Path(self._cache_file._index_path)
        try:
            self._impl.locator.ensure_cache_path()
            with filelock.FileLock(index.with_name("kernels.lock"), timeout=PATIENCE):
                super().save_overload(*arguments)  # type: ignore[no-untyped-call]
        except filelock.Timeout:  # the next process keeps it
            return
        except Exception:  # no room, or an index that cannot be read
            with suppress(OSError):
                index.unlink()
