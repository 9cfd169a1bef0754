"""What people are shown while work goes on: a bar in a terminal or a notebook, and lines on stderr.

Nothing here ends the work: stderr may be absent, as in a program without a window, closed, or a pipe nobody reads.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

Watch = Callable[[str, int, int], None]  # what is being done, how many are done, of how many (0: nobody knows)


def quiet(_does: str, _done: int, _total: int) -> None:
    """A `Watch` that shows nothing."""


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at what is written there."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def say(text: str) -> None:
    """Write a line to stderr, where there is one."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)


def bar(*columns: "ProgressColumn", shown: bool = True, transient: bool = True, period: float = 30) -> "Progress":
    """A progress bar of rich's; nothing where stderr is neither a terminal nor a notebook.

    Args:
        columns: of the bar.
        shown: whether to show it where it can be.
        transient: whether it vanishes at its end.
        period: seconds of which the speed is measured.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    notebook = console.is_jupyter and find_spec("ipywidgets") is not None  # without them, rich only warns
    return Progress(
        *columns,
        console=console,
        disable=not (shown and (console.is_terminal or notebook)),
        redirect_stdout=is_terminal(sys.stdout),  # else results for a pipe would go to the terminal
        transient=transient,
        speed_estimate_period=period,
    )


@contextmanager
def progress(noun: str) -> Iterator[Watch]:
    """Yield a function that is told what is being done, how many are done, and of how many.

    There is a bar for each thing that is done, with rate and time left. `noun` names what is counted, as in "pairs/s".
    Nothing is shown of a single thing.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    description, rate = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[rate]}", markup=False)
    tasks: dict[str, TaskID] = {}
    begun: dict[str, float] = {}
    last = time.perf_counter()  # when something was last done: a stage begins where the one before ended

    with bar(description, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn()) as shown:

        def watch(does: str, done: int, total: int) -> None:
            nonlocal last
            if total == 1:
                return
            if does not in tasks:
                tasks[does], begun[does] = shown.add_task(does, total=total or None, rate=""), last
            last = time.perf_counter()
            speed = done / max(last - begun[does], 1e-9)
            shown.update(
                tasks[does], completed=done, total=total or None, rate=f"{speed:.{0 if speed >= 10 else 1}f} {noun}/s"
            )

        yield watch
