"""Everything a run needs to go on as if it had never stopped."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.model.classifier import Classifier
from segnext.model.network import SegNeXt
from segnext.training.optim import Average


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
        losses: losses of the steps since the last line of the log.
        metrics: what was last measured on val.
    """

    model: SegNeXt | Classifier
    average: Average
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    best: float = -1.0
    losses: list[float] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write all of it, with the states of the random generators, to one file."""
        content: dict[str, Any] = {
            "model": self.model.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "best": self.best,
            "losses": self.losses,
            "metrics": self.metrics,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "random_nmf": [generator.get_state() for generator in self.model.random_generators()],
        }
        with replacing(path) as temporary:
            torch.save(content, temporary)

    def load(self, path: Path) -> None:
        """Take everything from a file that `save` wrote; nothing in it is executed."""
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            self.model.load_state_dict(content["model"])
            for name, tensor in content["average"].items():
                self.average.state[name].copy_(tensor)
            self.optimizer.load_state_dict(content["optimizer"])
            self.scaler.load_state_dict(content["scaler"])
            self.step, self.best, self.losses = content["step"], content["best"], content["losses"]
            self.metrics = content["metrics"]
            torch.set_rng_state(content["random"])
            if content["random_cuda"]:
                torch.cuda.set_rng_state_all(content["random_cuda"])
            for generator, state in zip(self.model.random_generators(), content["random_nmf"], strict=True):
                generator.set_state(state)
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise SegNextError(
                f"{path}: the run's state is damaged or of another version ({type(error).__name__}) and cannot be "
                "restored; start a new run"
            ) from error
