"""Everything a run needs to go on as if it had never stopped."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.model.trainable import Trainable
from segnext.training.optim import Average
from segnext.training.processes import Processes

PLAIN = ("step", "best", "stale", "measured", "saved", "losses", "metrics", "origin", "files")


@dataclass
class State:
    """What changes while training.

    Attributes:
        model: the network.
        average: its averaged weights.
        optimizer: AdamW with its moments.
        scaler: loss scaling, active under fp16 only.
        step: optimiser steps done.
        best: highest mIoU, or top-1 accuracy, on val so far; -1 before the first.
        stale: measurements on val since the best one.
        measured: step of the last measurement on val.
        saved: step that the checkpoint on disk holds; 0 for none.
        origin: provenance of the weights that the run started from; empty for random ones.
        losses: losses of the steps since the last line of the log.
        metrics: what was last measured on val.
        files: fingerprints of the files that the run reads; none where it is not known.
    """

    model: Trainable
    average: Average
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    best: float = -1.0
    stale: int = 0
    measured: int = 0
    saved: int = 0
    origin: dict[str, Any] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    files: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    metrics: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write all of it, with the states of the random generators, to one file.

        Raises:
            OSError: when it cannot be written; the file that was there before is kept.
        """
        content: dict[str, Any] = {
            "model": self.model.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
            "random_nmf": [generator.get_state() for generator in self.model.random_generators()],
            **{name: getattr(self, name) for name in PLAIN},
            "saved": self.step,
        }
        with replacing(path) as temporary:
            _write(content, temporary)
        self.saved = self.step

    def load(self, content: dict[str, Any], path: Path) -> None:
        """Take everything from what `read_state` gave.

        Raises:
            SegNextError: naming `path`, when it is not the state of such a run.
        """
        with _refusing(path):
            self.model.load_state_dict(content["model"])
            for name, tensor in content["average"].items():
                self.average.state[name].copy_(tensor)
            self.optimizer.load_state_dict(content["optimizer"])
            self.scaler.load_state_dict(content["scaler"])
            for name in PLAIN:
                if name != "files" or name in content:  # earlier versions did not know them
                    setattr(self, name, content[name])
            torch.set_rng_state(content["random"])
            if content["random_cuda"] is not None and torch.cuda.is_available():
                torch.cuda.set_rng_state(content["random_cuda"])
            for generator, state in zip(self.model.random_generators(), content["random_nmf"], strict=True):
                generator.set_state(state)


def saved_state(out: Path, processes: Processes, *, resume: bool) -> dict[str, Any] | None:
    """What the run in the folder `out` goes on from, the same in all processes; None for a run that begins."""
    path = out / "state.pt"
    return processes.same(read_state(path) if processes.main and resume and path.exists() else None)


def read_state(path: Path) -> dict[str, Any]:
    """What `State.save` wrote, on the CPU; nothing in it is executed.

    Raises:
        SegNextError: when the file is damaged, by as much as a bit.
    """
    with _refusing(path):
        with zipfile.ZipFile(path) as archive:
            if (part := archive.testzip()) is not None:  # torch looks at no checksum
                raise zipfile.BadZipFile(part)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return content


def _write(content: dict[str, Any], path: Path) -> None:
    """`torch.save`, whose own error hides that of a full disk."""
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of a damaged file torch's reader raises almost anything
        raise SegNextError(
            f"{path}: the run's state is damaged, or of another version or recipe ({type(error).__name__}), and cannot "
            "be restored; put config.yaml back if it was changed, or start a new run"
        ) from error
