"""What a run leaves behind: measured and saved weights, and pictures."""

import dataclasses
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from segnext.checkpoint.file import Weights, load_weights, save_weights
from segnext.data.crops import Crops
from segnext.data.folder import Pair
from segnext.evaluation.evaluate import evaluate
from segnext.inference.segmenter import Segmenter
from segnext.model.config import ModelConfig
from segnext.training.config import TrainConfig
from segnext.training.log import Log
from segnext.training.pictures import curves, examples
from segnext.training.progress import Progress
from segnext.training.state import State

EXAMPLES = 6
METRICS = ("miou", "pixel_accuracy", "mean_accuracy", "iou")


class Results:
    """Measures a run's averaged weights on val, keeps the best, and draws the pictures at the end."""

    def __init__(self, config: TrainConfig, shape: ModelConfig, crops: Crops, pairs: Sequence[Pair], log: Log) -> None:
        self.config = config
        self.out = Path(config.out)
        self.shape = shape
        self.crops = crops
        self.labels = crops.labels
        self.pairs = pairs
        self.log = log

    def validate(self, state: State, progress: Progress) -> None:
        """Measure mIoU on val; the best weights so far become best.safetensors."""
        segmenter = self._segmenter(self._weights(state))
        metrics = evaluate(
            lambda path: segmenter(path).mask,
            self.pairs,
            self.labels,
            lambda done: progress.validating(done, len(self.pairs)),
        )
        summary = metrics.to_dict()
        state.metrics = {"split": self.config.val_split, **{key: summary[key] for key in METRICS}}
        self.log.write("val", state.step, **{key: summary[key] for key in METRICS})
        if not metrics.miou <= state.best:  # also when it is undefined, because val holds no labelled pixel
            state.best = metrics.miou
            save_weights(self._weights(state), self.out / "best.safetensors")
        progress.validated(metrics.miou, state.best)

    def save(self, state: State) -> None:
        """Write last.safetensors, then state.pt, from which the run can go on."""
        save_weights(self._weights(state), self.out / "last.safetensors")
        state.save(self.out / "state.pt")

    def draw(self) -> None:
        """curves.png, and examples.png with val pictures beside truth and prediction of the best weights."""
        curves(self.out / "log.jsonl", self.out / "curves.png")
        if not self.pairs:
            return
        segmenter = self._segmenter(load_weights(self.out / "best.safetensors"))
        chosen = np.linspace(0, len(self.pairs) - 1, min(EXAMPLES, len(self.pairs))).round().astype(int)
        items = []
        for pair in (self.pairs[index] for index in chosen):
            image, truth = pair.read_image(), pair.read_mask(self.labels)
            items.append((image, truth, segmenter(image).mask))
        examples(items, self.labels, self.out / "examples.png")

    def _segmenter(self, weights: Weights) -> Segmenter:
        config = self.config
        return Segmenter(weights, config.device, engine="torch", precision="fp32", testing=config.testing)

    def _weights(self, state: State) -> Weights:
        recipe = dataclasses.asdict(self.config)
        provenance = {
            # Where data and run lie is this machine's affair; what they are is not.
            "recipe": {name: value for name, value in recipe.items() if name not in ("data", "out")}
            | {"encoder_weights": self.config.encoder_weights and Path(self.config.encoder_weights).name},
            "data": {
                "name": self.labels.name,
                "split": self.config.train_split,
                "pictures": len(self.crops.pairs),
            },
            "step": state.step,
            "metrics": state.metrics,
            "versions": {name: version(name) for name in ("segnext", "torch", "numpy")}
            | {"python": platform.python_version()},
        }
        return Weights(self.shape, self.labels, self.crops.preprocess, state.average.state, provenance)
