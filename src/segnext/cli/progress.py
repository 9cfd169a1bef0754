"""Progress of a command: a bar on stderr for each stage, with rate and time left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(noun: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that is told what is being done, how many are done, and of how many.

    `noun` names what is counted, as in "pairs/s". Shows nothing when stderr is not a terminal, and of a single thing.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # else results for a pipe would go to the terminal
        transient=True,
    )

    begun: dict[str, float] = {}
    last = time.perf_counter()  # when something was last done: a stage begins where the one before ended

    def watch(does: str, done: int, total: int) -> None:
        nonlocal last
        if total < 2:
            return
        if does not in tasks:
            tasks[does], begun[does] = bar.add_task(does, total=total, rate=""), last
        last = time.perf_counter()
        rate = done / max(last - begun[does], 1e-9)
        bar.update(tasks[does], completed=done, total=total, rate=f"{rate:.{0 if rate >= 10 else 1}f} {noun}/s")

    with bar:
        yield watch
