"""Progress of the data commands: a bar on stderr for each stage, with rate and time left."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(noun: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that is told what is being done, how many are done, and of how many.

    `noun` names what is counted, as in "pairs/s". Shows nothing when stderr is not a terminal.
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

    def watch(does: str, done: int, total: int) -> None:
        if does not in tasks:
            tasks[does] = bar.add_task(does, total=total, rate="")
        speed = bar.tasks[tasks[does]].speed
        rate = f"{speed:.0f} {noun}/s" if speed else ""
        bar.update(tasks[does], completed=done, total=total, rate=rate)

    with bar:
        yield watch
