"""How kernels are compiled, and the compiled code kept for the next process."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache


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


class _Cache(FunctionCache):
    """numba's cache, without which a kernel works as well: what cannot be kept or read is compiled again."""

    def load_overload(self, *arguments: Any) -> Any:
        """What was kept; None where that is nothing, or was cut when a process or the machine ended."""
        try:
            return super().load_overload(*arguments)  # type: ignore[no-untyped-call]
        except Exception:  # pickle's errors have no common kind
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep what was compiled, where there is room.

        numba writes the index first: without its data it would name those of an older source, so it goes too.
        """
        try:
            super().save_overload(*arguments)  # type: ignore[no-untyped-call]
        except Exception:  # no room, or an index that cannot be read
            with suppress(OSError):
                Path(self._cache_file._index_path).unlink()
