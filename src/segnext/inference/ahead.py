"""Work of several threads, taken in the order in which it was given."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
PATIENCE = 2.0  # seconds for what is at hand after Ctrl-C, which must not wait for a large picture


@contextmanager
def threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that are not waited for when the work is broken off."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ahead(pool: ThreadPoolExecutor, work: Callable[[S], T], items: Iterable[S], most: int) -> Iterator[T]:
    """The results of `work`, in the order of the items; at most `most` more are being worked on meanwhile."""
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        wait(waiting, PATIENCE)
