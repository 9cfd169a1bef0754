"""Warnings of the libraries that we call, silenced; right in threads too."""

import os
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack


class Shared:
    """A change of something global, made by the first thread that comes in and undone by the last one that leaves.

    Threads that each make and undo such a change, as `warnings.catch_warnings` does, undo one another's: what one of
    them silenced is heard again while it is still inside, or stays silent for ever.
    """

    def __init__(self, change: Callable[[ExitStack], None]) -> None:
        self.change = change
        self.undo = ExitStack()
        self.begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.begin)  # the threads that are inside are not in a child

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.undo.close()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.change(self.undo)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.undo.close()


def _silence(undo: ExitStack) -> None:
    undo.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")


silenced = Shared(_silence)
