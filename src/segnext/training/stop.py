"""Ctrl-C, SIGTERM and a closed terminal end a run between two steps, with a checkpoint."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from segnext.interrupt import graceful

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

Handler = Callable[[int, FrameType | None], Any] | int | None


class Stopped(KeyboardInterrupt):
    """A run that was asked to end, and did so with a checkpoint.

    Attributes:
        signal: what asked for it; its number + 128 is the exit code by convention.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signal = signum


class Stop:
    """Whether the run was asked to end, and by which signal.

    The end of torchrun, however it came, asks its processes to end; else they would train on beside the resumed run.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.launcher = os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None

    def __bool__(self) -> bool:
        if not self.signal and self.launcher is not None and os.getppid() != self.launcher:
            self.signal = signal.SIGTERM
        return self.signal != 0

    @property
    def name(self) -> str:
        """The signal's name; that of Ctrl-C as people know it."""
        return "Ctrl-C" if self.signal == signal.SIGINT else signal.Signals(self.signal).name


@contextmanager
def stopping(*, loud: bool, again: bool) -> Iterator[Stop]:
    """Within, the signals are noted instead of ending the process.

    Args:
        loud: whether to say on stderr that one came.
        again: whether a second one ends the process at once, as it would have without us.
    """
    stop = Stop()

    def note(signum: int, frame: FrameType | None) -> None:
        stop.signal = stop.signal or signum
        if again:
            _restore(before)
        if loud:
            more = ", once more stops at once" if again and signum == signal.SIGINT else ""
            with suppress(OSError):  # the terminal is gone, as SIGHUP tells
                os.write(2, f"\n{stop.name}: stopping after this step{more}\n".encode())

    before: dict[signal.Signals, Handler] = {}
    if threading.current_thread() is threading.main_thread():  # only there Python takes signals
        for number in SIGNALS:
            # What the parent has ignored stays so: nohup the closed terminal, a shell Ctrl-C for background jobs.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, note)
    try:
        with graceful():
            yield stop
    finally:
        _restore(before)


def _restore(handlers: dict[signal.Signals, Handler]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
