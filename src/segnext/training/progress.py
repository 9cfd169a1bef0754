"""The training's progress: a bar in a terminal, now and then a line elsewhere."""

import math
import time
from contextlib import suppress
from datetime import timedelta
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from segnext.progress import bar, say

LINE_EVERY = 60.0  # seconds between lines, where there is no bar
SLOW_DATA = 0.05  # share of the time that steps wait for data, from which on it is said


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
        columns = (TextColumn("train"), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = bar(*columns, TextColumn("{task.fields[numbers]}"), shown=shown, transient=False, period=120)
        self.lines = shown and self.bar.disable
        self.task = self.bar.add_task("train", total=steps, completed=done, numbers="")
        self.measured = ""
        self.loss = float("nan")
        self.waiting = 0.0
        self.said = time.monotonic()

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self.bar.stop()

    def update(self, step: int, loss: float, lr: float, waiting: float) -> None:
        """After a training step; `waiting` is the share of the time, 0..1, that steps waited for data of late."""
        self.loss = loss
        self.waiting = waiting
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
            loss = "" if math.isnan(self.loss) else f"loss {self.loss:.3f}"  # before the first step of a resumed run
            numbers = f"{self._rate()}{loss}{self.measured}{doing}{when}"
            say(f"step {task.completed:.0f}/{task.total:.0f}  {numbers}")

    def _rate(self) -> str:
        speed = self.bar.tasks[self.task].speed
        if not speed:
            return ""
        waiting = f" ({100 * self.waiting:.0f} % waiting for data)" if self.waiting >= SLOW_DATA else ""
        return f"{speed * self.images_per_step:.1f} images/s{waiting}  "
