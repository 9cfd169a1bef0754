"""Work shared between threads, for kernels that release Python's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import RLock

# One segmenter is loaded at a time, and the process does not fork meanwhile: a child would find every lock that the
# loading thread holds taken for ever.
loading = RLock()

PARTS = (
    16  # of a sample's positions, each a task of its own: the same, and so the order of sums, for any number of threads
)


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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=loading.acquire, after_in_parent=loading.release, after_in_child=loading.release)
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has the pool, but none of its threads
