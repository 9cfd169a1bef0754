"""What a pre-training run leaves behind: measured and saved weights, and its curves."""

import platform
from dataclasses import asdict
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

import torch

from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import save_encoder
from segnext.data.crops import batches
from segnext.model.classifier import create_classifier
from segnext.pretraining.config import PretrainConfig
from segnext.pretraining.curves import draw_curves
from segnext.pretraining.evaluate import Accuracy, accuracy_sums
from segnext.pretraining.folder import ImageFolder
from segnext.pretraining.samples import ValSamples
from segnext.training.log import Log
from segnext.training.processes import Processes
from segnext.training.progress import Progress
from segnext.training.state import State
from segnext.training.step import autocast
from segnext.training.stop import Stop


class Results:
    """Measures a run's averaged weights on val, keeps the best, and draws the curves at the end."""

    def __init__(self, config: PretrainConfig, folder: ImageFolder, log: Log | None, processes: Processes) -> None:
        self.config = config
        self.out = Path(config.out)
        self.folder = folder
        self.log = log
        self.processes = processes

    def validate(self, state: State, progress: Progress, stop: Stop) -> None:
        """Measure top-1 and top-5 on val; the best weights so far become best.safetensors.

        Every process measures its part of the pictures. Nothing comes of it when the run is asked to stop meanwhile.
        """
        measured = self._measured(state, progress, stop)
        if measured is None:
            return
        state.metrics = asdict(measured)
        state.measured = state.step
        if self.log is not None:
            self.log.write("val", state.step, **state.metrics)
        if measured.top1 > state.best:
            state.best = measured.top1
            if self.processes.main:
                save_encoder(state.average.state, self._provenance(state), self.out / "best.safetensors")
        progress.validated("top-1", measured.top1, state.best)

    def _measured(self, state: State, progress: Progress, stop: Stop) -> Accuracy | None:
        """Accuracy over all processes' parts of val; None when one of them was asked to stop."""
        config = self.config
        with torch.device("meta"):  # no random start, which would disturb the run's random numbers
            model = create_classifier(config.model, len(self.folder.classes))
        model.load_state_dict(state.average.state, assign=True)
        val = ValSamples(self.folder.val, config.size, config.eval_crop)
        part = self.processes.part(range(len(self.folder.val)))
        sums = accuracy_sums(
            model.eval(),
            takewhile(lambda _: not stop, batches(val, part, config.batch_size, config.workers)),
            torch.device(config.device),
            lambda: autocast(config.precision, config.device),
            lambda done: progress.validating(done, len(part)),
        )
        *together, stopped = self.processes.sum(torch.cat([sums, sums.new_tensor([bool(stop)])]))
        return None if stopped else Accuracy.of(torch.stack(together))

    def save(self, state: State) -> None:
        """Write last.safetensors, then state.pt, from which the run can go on."""
        if self.processes.main:
            save_encoder(state.average.state, self._provenance(state), self.out / "last.safetensors")
            state.save(self.out / "state.pt")

    def draw(self) -> None:
        """curves.png: loss, accuracy and learning rate."""
        draw_curves(self.out / "log.jsonl", self.out / "curves.png")

    def _provenance(self, state: State) -> Provenance:
        recipe = asdict(self.config)
        return Provenance(
            # Where data and run lie is this machine's affair; what they are is not.
            recipe={name: value for name, value in recipe.items() if name not in ("data", "out")},
            data={"name": Path(self.config.data).name, "pictures": len(self.folder.train)},
            classes=tuple(self.folder.classes),
            step=state.step,
            metrics=state.metrics,
            versions={name: version(name) for name in ("segnext", "torch", "numpy")}
            | {"python": platform.python_version()},
        )
