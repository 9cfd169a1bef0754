"""The entrance: train a segmentation network, and what comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.errors import SegNextError
from segnext.training.config import TrainConfig
from segnext.training.folds import folds_in_all
from segnext.training.log import Record, read_log
from segnext.training.run import carry_out
from segnext.training.segmentation import Segmentation
from segnext.training.several import SeveralData
from segnext.training.task import Callbacks, OnEval, OnStep

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter


@dataclass(frozen=True)
class Run:
    """A training run that has ended; whatever takes a path takes it for its folder.

    Attributes:
        folder: config.yaml, best.safetensors and last.safetensors (averaged weights), state.pt (what resuming needs),
            log.jsonl, tensorboard/, and curves.png, examples.png and report.html.
    """

    folder: Path

    def __fspath__(self) -> str:
        return str(self.folder)

    def __truediv__(self, name: str) -> Path:
        """A file in the folder."""
        return self.folder / name

    @property
    def log(self) -> tuple[list[Record], list[Record]]:
        """The train and the val lines of log.jsonl, by step."""
        return read_log(self.folder / "log.jsonl")

    @property
    def best(self) -> Record | None:
        """The val line of the best weights, with step, miou, pixel_accuracy, mean_accuracy and iou by class, all 0..1,
        and the classes that are never_predicted; None where nothing was measured.
        """
        measured = [record for record in self.log[1] if record["miou"] is not None]
        return max(measured, key=lambda record: float(record["miou"]), default=None)

    def load(self, **options: Any) -> "Segmenter":
        """The best weights, ready to segment; the options are those of `segnext.load`."""
        from segnext.inference.load import load

        return load(self.folder, **options)


def train(
    config: TrainConfig, *, resume: bool = False, on_step: OnStep | None = None, on_eval: OnEval | None = None
) -> Run:
    """Train `config`, or go on with the run in its folder `out`, as if it had never stopped.

    Started by torchrun, it is one of several processes that train together. Ctrl-C, SIGTERM and SIGHUP end it after
    the step that it is in, with a checkpoint.

    Args:
        config: all settings.
        resume: whether the folder holds the run already.
        on_step: called after every step, in process 0, with its number (from 1), loss, learning rate and gradient norm.
        on_eval: called after every measurement on val, in process 0, with the step and what `log.jsonl` has of it.
            What either raises ends the run, and comes out here.

    Raises:
        SegNextError: when the folder holds a run already and it is not to be resumed, for data that cannot be trained
            with, a loss or gradient that is not finite, lack of memory, and a folder that cannot be written.
        Stopped: a KeyboardInterrupt, when a signal ended the run.
    """
    if folds_in_all(config.fold) is not None:
        raise SegNextError(f"fold is {config.fold}, which is several runs: call segnext.cross_validate(config)")
    task = SeveralData if config.more_data else Segmentation
    return Run(carry_out(config, task, resume=resume, callbacks=Callbacks(on_step, on_eval)))
