"""The training's progress: a bar in a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_EVERY = 60.0  # seconds between lines, where there is no bar


class Progress:
    """A bar on stderr with steps, time left, images per second, loss, learning rate and what val gave last.

    When stderr is not a terminal there is a line instead, every minute and whenever val was measured. Nothing of it
    ends a run when stderr is gone, as that of a closed terminal.

    Args:
        steps: of the run.
        done: of them, already.
        images_per_step: pictures in a step.
        shown: whether anything is shown at all.
    """

    def __init__(self, steps: int, done: int, images_per_step: int, *, shown: bool = True) -> None:
        self.images_per_step = images_per_step
        self.lines = shown and not sys.stderr.isatty()
        self.bar = RichProgress(
            TextColumn("train"),
            BarColumn(None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=Console(stderr=True),
            disable=not shown or self.lines,
            speed_estimate_period=120,
        )
        self.task = self.bar.add_task("train", total=steps, completed=done, numbers="")
        self.measured = ""
        self.loss = float("nan")
        self.said = time.monotonic()

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self.bar.stop()

    def update(self, step: int, loss: float, lr: float) -> None:
        """After a training step."""
        self.loss = loss
        self.bar.update(self.task, completed=step, numbers=f"{self._rate()}loss {loss:.3f}  lr {lr:.1e}{self.measured}")
        self._report_now_and_then()

    def validating(self, done: int, total: int) -> None:
        """While val is being measured."""
        self.bar.update(self.task, numbers=f"val {done}/{total}")
        self._report_now_and_then(f"  val {done}/{total}")

    def validated(self, name: str, value: float, best: float) -> None:
        """After val was measured: a name, and its value and highest value so far in 0..1."""
        self.measured = f"  {name} {100 * value:.2f} % (best {100 * best:.2f} %)"
        self.bar.update(self.task, numbers=self.measured.strip())
        self.report()

    def _report_now_and_then(self, doing: str = "") -> None:
        if time.monotonic() > self.said + LINE_EVERY:
            self.report(doing)

    def report(self, doing: str = "") -> None:
        """Print a line, where there is no bar; `doing` is added to it."""
        self.said = time.monotonic()
        if self.lines:
            task = self.bar.tasks[self.task]
            left = task.time_remaining
            when = f"  {timedelta(seconds=int(left))} left" if left else ""
            numbers = f"{self._rate()}loss {self.loss:.3f}{self.measured}{doing}{when}"
            with suppress(OSError):
                print(f"step {task.completed:.0f}/{task.total:.0f}  {numbers}", file=sys.stderr, flush=True)

    def _rate(self) -> str:
        speed = self.bar.tasks[self.task].speed
        return f"{speed * self.images_per_step:.1f} images/s  " if speed else ""


@contextmanager
def measuring() -> Iterator[Callable[[int, int], None]]:
    """A function (done, total) that shows how far the measuring of the bands is, on stderr if it is a terminal."""
    columns = (TextColumn("measure bands"), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("bands", visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
