"""What a run leaves behind: measured and saved weights, and pictures."""

import dataclasses
import math
import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.data.crops import Crops
from segnext.data.folder import Pair
from segnext.data.formats.public.open import open_data
from segnext.evaluation.evaluate import evaluate, no_counts, predictor
from segnext.evaluation.examine import examine
from segnext.evaluation.gather import gather
from segnext.evaluation.metrics import Metrics
from segnext.evaluation.page import write_page
from segnext.inference.segmenter import Segmenter
from segnext.model.config import NetworkConfig
from segnext.training.config import TrainConfig
from segnext.training.curves import draw_curves
from segnext.training.examples import Item, draw_examples, strip
from segnext.training.log import Log
from segnext.training.processes import Processes
from segnext.training.progress import Progress
from segnext.training.report import log_charts
from segnext.training.state import State
from segnext.training.stop import Stop

EXAMPLES = 6  # val pictures in examples.png
SHOWN = 3  # of them in TensorBoard, at every measurement
METRICS = ("miou", "pixel_accuracy", "mean_accuracy", "iou")


class _BrokenOffError(Exception):
    """A measurement that is not finished because the run is to stop."""


def _better(miou: float, best: float) -> bool:
    """Whether a measurement is the best so far; one of nothing (NaN) is if all before were such too."""
    return not miou <= best and not (math.isnan(miou) and best >= 0)


class Results:
    """Measures a run's averaged weights on val, keeps the best, and draws the pictures at the end."""

    def __init__(
        self,
        config: TrainConfig,
        shape: NetworkConfig,
        crops: Crops,
        pairs: Sequence[Pair],
        log: Log | None,
        processes: Processes,
    ) -> None:
        self.config = config
        self.out = Path(config.out)
        self.shape = shape
        self.crops = crops
        self.labels = crops.labels
        self.pairs = pairs
        self.log = log
        self.processes = processes

    def validate(self, state: State, progress: Progress, stop: Stop) -> None:
        """Measure mIoU on val; the best weights so far become best.safetensors.

        Every process measures its part of the pictures. Nothing comes of it when the run is asked to stop meanwhile.
        """
        metrics = self._metrics(state, progress, stop)
        if metrics is None:
            return
        summary = metrics.to_dict()
        state.metrics = {"split": self.config.val_split, **{key: summary[key] for key in METRICS}}
        state.measured = state.step
        state.stale += 1
        if self.log is not None:
            self.log.write("val", state.step, **{key: summary[key] for key in METRICS})
        if _better(metrics.miou, state.best):
            state.best, state.stale = metrics.miou, 0
            if self.processes.main:
                save_weights(self._weights(state), self.out / "best.safetensors")
        if self.log is not None:
            self._show(state, self.log)
        progress.validated("mIoU", metrics.miou, state.best)

    def _metrics(self, state: State, progress: Progress, stop: Stop) -> Metrics | None:
        """Metrics over all processes' parts of val, exact; None when one of them was asked to stop."""
        segmenter = self._segmenter(self._weights(state))
        part = self.processes.part(self.pairs)
        counts = no_counts(self.labels)

        def watch(done: int) -> None:
            progress.validating(done, len(part))
            if stop:
                raise _BrokenOffError

        with suppress(_BrokenOffError):
            if part:
                counts = evaluate(predictor(segmenter), part, self.labels, watch).confusion
        together = torch.tensor([*counts.ravel().tolist(), int(bool(stop))], device=self.config.device)
        *cells, stopped = self.processes.sum(together).tolist()
        confusion = np.array(cells, np.int64).reshape(counts.shape)
        return None if stopped else Metrics(confusion, self.labels.classes, len(self.pairs))

    def save(self, state: State) -> None:
        """Write last.safetensors, then state.pt, from which the run can go on."""
        if self.processes.main:
            save_weights(self._weights(state), self.out / "last.safetensors")
            state.save(self.out / "state.pt")

    def draw(self) -> None:
        """curves.png; and of the best weights, examples.png and report.html. Not again for a run that has them."""
        log, report = self.out / "log.jsonl", self.out / "report.html"
        saved = (self.out / "state.pt").stat().st_mtime_ns
        drawn = [self.out / "curves.png", self.out / "examples.png", report]
        if all(file.exists() and file.stat().st_mtime_ns > saved for file in drawn):
            return
        draw_curves(log, self.out / "curves.png")
        if not self.pairs or self.config.val_split is None:
            return
        segmenter = self._segmenter(load_weights(self.out / "best.safetensors"))
        draw_examples(
            [self._item(segmenter, pair) for pair in self._chosen(EXAMPLES)], self.labels, self.out / "examples.png"
        )
        data = open_data(Path(self.config.data), self.config.format)
        title = f"{self.out.resolve().name}: {self.config.model} on {self.labels.name}"
        measured = examine(predictor(segmenter), self.pairs, self.labels)
        page = gather(segmenter, data, self.config.val_split, title, measured, log_charts(log))
        write_page(page, report)

    def _show(self, state: State, log: Log) -> None:
        """A few val pictures beside truth and prediction, for TensorBoard."""
        segmenter = self._segmenter(self._weights(state))
        for number, pair in enumerate(self._chosen(SHOWN), 1):
            log.show(f"val/example_{number}", state.step, strip(self._item(segmenter, pair), self.labels))

    def _chosen(self, count: int) -> list[Pair]:
        """Val pictures, evenly spread."""
        places = np.linspace(0, len(self.pairs) - 1, min(count, len(self.pairs))).round().astype(int)
        return [self.pairs[place] for place in places]

    def _item(self, segmenter: Segmenter, pair: Pair) -> Item:
        result = segmenter.segment(pair.read_image(self.crops.preprocess.bands))
        return result.image, pair.read_mask(self.labels), result.mask

    def _segmenter(self, weights: Weights) -> Segmenter:
        config = self.config
        return Segmenter(weights, config.device, engine="torch", precision="fp32", testing=config.testing)

    def _weights(self, state: State) -> Weights:
        recipe = dataclasses.asdict(self.config)
        provenance = Provenance(
            # Where data and run lie is this machine's affair; what they are is not.
            recipe={name: value for name, value in recipe.items() if name not in ("data", "out")}
            | {name: recipe[name] and Path(recipe[name]).name for name in ("encoder_weights", "from_weights")},
            data={
                "name": self.labels.name,
                "split": self.config.train_split,
                "pictures": len(self.crops.pairs),
            },
            step=state.step,
            metrics=state.metrics,
            **state.origin,
            versions={name: version(name) for name in ("segnext", "torch", "numpy")}
            | {"python": platform.python_version()},
        )
        return Weights(self.shape, self.labels, self.crops.preprocess, state.average.state, provenance)
