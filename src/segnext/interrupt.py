"""Ctrl-C ends a command within seconds, whatever its threads do."""

import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread, current_thread, main_thread
from typing import Any

PATIENCE = 3.0  # seconds
_graceful = 0  # how many are within `graceful`


@contextmanager
def graceful() -> Iterator[None]:
    """Within, the first Ctrl-C is the caller's, who needs time to end well; the second one ends the process."""
    global _graceful
    _graceful += 1
    try:
        yield
    finally:
        _graceful -= 1


@contextmanager
def noted() -> Iterator[Event]:
    """Within, the first Ctrl-C or SIGTERM is noted in what is yielded, and all goes on; the next one ends the process.

    Outside of a program's main thread, which alone may do so, nothing is noted.
    """
    event = Event()
    before: dict[int, Any] = {}

    def note(number: int, frame: object) -> None:
        event.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    if current_thread() is main_thread():
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with graceful():
            yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_when_interrupted() -> None:
    """End this process `PATIENCE` after Ctrl-C, or at the next one, unless it has ended by itself.

    Python raises KeyboardInterrupt only once its main thread is back from what it called, and then it waits for its
    other threads; neither need ever happen.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)  # where the numbers of signals are written
    Thread(target=_watch, args=(ours, theirs), name="interrupt", daemon=True).start()


def _watch(ours: socket.socket, theirs: socket.socket) -> None:
    """Wait for Ctrl-C; `theirs` is only kept open."""
    known = False
    while True:
        if ours.recv(1)[0] != signal.SIGINT:
            continue
        if known or not _graceful:
            select.select([ours], [], [], PATIENCE)
            os._exit(128 + signal.SIGINT)
        known = True
