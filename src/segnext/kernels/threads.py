"""Work shared between threads, for kernels that release Python's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from threading import RLock

# Held while engines begin and kernels are loaded: by one thread at a time, and not while the process forks, for in a
# child every lock that the loading thread holds stays taken for ever. What may fork itself, such as an export, must
# not run under it.
loading = RLock()
PATIENCE = 10.0  # seconds that a fork waits for it

# Of a sample's positions, each a task of its own: the same, and so the order of sums, for any number of threads.
PARTS = 16


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(work: Callable[[int, int], None], workers: int) -> None:
    """Run work(worker, workers) for each worker, one of them in the calling thread; waits for all."""
    others = [_pool().submit(work, worker, workers) for worker in range(1, workers)]
    work(0, workers)
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="kernel")


def _before_fork() -> None:
    loading.acquire(timeout=PATIENCE)


def _after_fork_in_parent() -> None:
    with suppress(RuntimeError):  # the patience was at an end
        loading.release()


def _after_fork_in_child() -> None:
    loading._at_fork_reinit()  # type: ignore[attr-defined]  # as Python does with locks of its own
    _pool.cache_clear()  # it has none of its threads here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
