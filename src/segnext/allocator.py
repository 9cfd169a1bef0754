"""Freed memory: kept in the process, since giving it back at every call costs a third of the time; or given back."""

import ctypes
import sys
from typing import Any

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def keep_pages() -> None:
    """Tell glibc to reuse freed memory instead of returning it to the system; elsewhere do nothing.

    Large tensors otherwise come from fresh mappings, whose every page the system clears anew at first touch.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def give_back() -> None:
    """Tell glibc to return freed memory to the system, of all threads; elsewhere do nothing.

    For between two kinds of work, whose threads do not find what the others have freed.
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of it; None where there is another C library."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
