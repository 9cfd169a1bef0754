"""The training's progress bar."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """A bar on stderr with steps, time left, images per second, loss, learning rate and what val gave last.

    Shows nothing when stderr is not a terminal.
    """

    def __init__(self, steps: int, done: int, images_per_step: int) -> None:
        self.images_per_step = images_per_step
        self.bar = RichProgress(
            TextColumn("train"),
            BarColumn(None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            speed_estimate_period=120,
        )
        self.task = self.bar.add_task("train", total=steps, completed=done, numbers="")
        self.measured = ""

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def update(self, step: int, loss: float, lr: float) -> None:
        """After a training step."""
        speed = self.bar.tasks[self.task].speed
        rate = f"{speed * self.images_per_step:.1f} images/s  " if speed else ""
        self.bar.update(self.task, completed=step, numbers=f"{rate}loss {loss:.3f}  lr {lr:.1e}{self.measured}")

    def validating(self, done: int, total: int) -> None:
        """While val is being measured."""
        self.bar.update(self.task, numbers=f"val {done}/{total}")

    def validated(self, name: str, value: float, best: float) -> None:
        """After val was measured: a name, and its value and highest value so far in 0..1."""
        self.measured = f"  {name} {100 * value:.1f} (best {100 * best:.1f})"
        self.bar.update(self.task, numbers=self.measured.strip())
