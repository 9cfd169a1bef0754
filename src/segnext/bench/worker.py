"""A process of its own for everything that is measured, so that memory is its own and rounds can take turns."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from segnext.errors import SegNextError

PEAK = "peak_rss"  # a request that any process answers


class Worker:
    """An object in a fresh process.

    Args:
        name: for messages.
        make: makes the object, in the process; can be pickled.

    Raises:
        SegNextError: when it cannot be made.
    """

    def __init__(self, name: str, make: Callable[[], object]) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, make), daemon=True)
        self.process.start()
        other.close()
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def call(self, method: str) -> Any:
        """What a method of the object, without arguments, returns."""
        self.connection.send(method)
        return self._answer()

    def peak_rss(self) -> int | None:
        """The most memory that the process has held so far, in bytes; None where the system does not say."""
        return self.call(PEAK)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> Any:
        try:
            result, error = self.connection.recv()
        except (EOFError, ConnectionError) as lost:
            self.process.join(timeout=5)
            raise SegNextError(
                f"{self.name}: its process ended (exit code {self.process.exitcode}); "
                "is there enough memory? Choose a smaller --size or fewer --engines"
            ) from lost
        if error is not None:
            raise SegNextError(f"{self.name}: {error}")
        return result


def _serve(connection: Connection, make: Callable[[], object]) -> None:
    """Make the object and answer requests until the other side has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's end closes the connection, which ends this process
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # errors are answers; what libraries print would break the bar
    served: object = None
    method: str | None = None
    try:
        while True:
            try:
                if method is None:
                    served, result = make(), None
                else:
                    result = peak_rss() if method == PEAK else getattr(served, method)()
                connection.send((result, None))
            except (EOFError, ConnectionError):
                raise
            except Exception as error:
                connection.send((None, str(error) if isinstance(error, SegNextError) else repr(error)))
            method = connection.recv()
    except (EOFError, ConnectionError):
        return


def peak_rss() -> int | None:
    """The most memory that this process has held, in bytes.

    Linux passes the parent's peak on in ru_maxrss, so there the figure of this program alone is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
