"""Says that the first step waits for kernels to be compiled, which a machine does once."""

from collections.abc import Iterator
from contextlib import contextmanager

from segnext.kernels.launch import available
from segnext.progress import say

SENTENCE = "compiling kernels, once on this machine, which takes a while"


@contextmanager
def compiling_told() -> Iterator[None]:
    """Within, a line on stderr says that the first kernel is compiled; none where all are kept from earlier runs."""
    if not available():
        yield
        return
    from numba.core import event

    class Told(event.Listener):
        told = False

        def on_start(self, event: event.Event) -> None:
            if not self.told:
                self.told = True
                say(SENTENCE)

        def on_end(self, event: event.Event) -> None:
            """The rest follows at once."""

    with event.install_listener("numba:compile", Told()):
        yield
