"""Training a segmentation network: its data, its loss, what is measured, saved and drawn."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.data.counts import ClassCounts
from segnext.data.crops import Crops
from segnext.data.folder import DataSet, Pair
from segnext.data.formats.public.open import open_data
from segnext.data.sampling import ClassSampler
from segnext.evaluation.evaluate import evaluate, no_counts, predictor
from segnext.evaluation.examine import examine, telling
from segnext.evaluation.gather import gather
from segnext.evaluation.metrics import Metrics
from segnext.evaluation.page import write_page
from segnext.files import walk
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels
from segnext.model.config import Architecture, NetworkConfig, preset
from segnext.model.families import build
from segnext.model.network import Network
from segnext.model.supervised import HEADS, Supervised, stage_heads
from segnext.preprocess import Preprocess
from segnext.progress import progress, say
from segnext.training.config import TrainConfig
from segnext.training.curves import draw_curves
from segnext.training.data import check_data, class_counts, prepare
from segnext.training.examples import Item, draw_examples, strip
from segnext.training.folds import divide
from segnext.training.log import Log
from segnext.training.log_charts import log_charts
from segnext.training.losses.total import TrainLoss, training_loss
from segnext.training.optim import lr_factor
from segnext.training.processes import Processes
from segnext.training.start import about
from segnext.training.start_weights import start_weights
from segnext.training.state import State
from segnext.training.task import Forward, NamedSamples, Plan, Task, Watch, provenance
from segnext.words import counted, quoted

DEFAULT_CROP = 512
LOOKED_AT = 32  # masks, as large as their pictures, that decide the crop
EXAMPLES = 6  # val pictures in examples.png: the worst, and those around the median
SHOWN = 3  # of them in TensorBoard, at every measurement
METRICS = ("miou", "pixel_accuracy", "mean_accuracy", "iou", "never_predicted")


class Segmentation(Task[TrainConfig]):
    """A network learns to segment the pictures of a data set."""

    score = ("miou", "mIoU")
    data: DataSet
    network: Network
    model: Supervised

    def __init__(self, config: TrainConfig, processes: Processes, resume: bool) -> None:
        config, self.data = self.open(config)
        self.splits = [split for split in (config.train_split, config.val_split) if split is not None]
        if config.fold is not None:
            self.splits = [split for split in self.splits if split in self.data.splits()]
            pool = [pair for split in self.splits for pair in self.data.pairs(split)]
            train, self.val_pairs = divide(pool, config.fold)
        else:
            train = self.data.pairs(config.train_split)
            self.val_pairs = self.data.pairs(config.val_split) if config.val_split is not None else []
        self.pairs = tuple(train)
        self.labels, self.processes = self.data.labels, processes
        crop = config.crop or _crop(
            self.pairs, self.labels, Preprocess(short_side=config.short_side, long_side=config.long_side)
        )
        self.config = config = replace(config, crop=crop)
        self.counts = class_counts(config, self.pairs, self.labels)
        if processes.main and config.check_data and not resume:
            self.check()
        self.preprocess = prepare(config, self.data, self.pairs, processes, resume=resume)
        self.samples = self.crops(config, self.preprocess, crop)
        self.shape = _shape(config, len(self.labels), len(self.preprocess.mean))
        self.network = build(self.shape)
        aux = config.auxiliary
        heads = stage_heads(self.network, aux.stages, aux.channels, aux.convs, aux.dropout)
        self.model = Supervised(self.network, heads).train()
        freeze(self.network, config.freeze)
        self.criterion = self.objective(config)
        self.plan = self._plan(crop)

    def open(self, config: TrainConfig) -> tuple[TrainConfig, DataSet]:
        """The data, and the settings with what it decides."""
        return config, open_data(Path(config.data), config.format)

    def check(self) -> None:
        """Look for errors in the data."""
        check_data(self.data, self.splits)

    def crops(self, config: TrainConfig, preprocess: Preprocess, crop: tuple[int, int]) -> NamedSamples:
        """What is trained on."""
        sampler = sampler_of(config, self.counts)
        return Crops(self.pairs, self.labels, preprocess, crop, config.augment, config.seed, sampler)

    def objective(self, config: TrainConfig) -> TrainLoss:
        """What is minimised."""
        return training_loss(config, self.labels, self.counts)

    def _plan(self, crop: tuple[int, int]) -> Plan:
        config, pictures = self.config, (len(self.pairs), len(self.val_pairs))
        return Plan(
            config.iterations,
            None if config.val_split is None else config.eval_every,
            about(config, self.labels.name, pictures, len(self.labels), config.iterations, crop),
            f"a --crop smaller than [{crop[0]},{crop[1]}]",
            f"from its weights: segnext train --from {quoted(config.out)} --out ANOTHER ...",
            config.patience,
        )

    def start(self) -> dict[str, Any]:
        """Load the weights that the recipe names."""
        return start_weights(self.network, self.config, self.labels, loud=self.processes.main)

    def files(self) -> list[str]:
        """Pictures and masks to train and to measure on."""
        found: dict[str, None] = {}
        for pair in (*self.pairs, *self.val_pairs):
            masks = walk(pair.mask) if self.labels.multi_label else (pair.mask,)
            found.update(dict.fromkeys(map(str, (pair.image, *masks))))
        return list(found)

    def factor(self, step: int) -> float:
        """Warm-up, then polynomial decay."""
        return lr_factor(step, self.config.iterations, self.config.schedule)

    def loss(self, forward: Forward, images: Tensor, targets: Tensor) -> Tensor:
        """The loss of pictures (B, bands, H, W) and masks (B, H, W), or of multi-label ones (B, classes, H, W).

        Losses of processes are weighed such that one process with all their pictures would have the same; parts of a
        process weigh alike.
        """
        targets = targets.to(self.config.device, non_blocking=True)
        weights = (*self.model.own_weights, *self.config.auxiliary.by_head)
        losses = (self.criterion(logits, targets, self.processes.mean) for logits in forward(images))
        return sum(weight * loss for weight, loss in zip(weights, losses, strict=True))  # type: ignore[return-value]

    def count(self, weights: dict[str, Tensor], watch: Watch) -> Tensor:
        """The confusion matrix."""
        part = self.processes.part(self.val_pairs)
        predict = predictor(self.segmenter(self.weights(weights)))
        counts = no_counts(self.labels)
        if part:
            counts = evaluate(predict, part, self.labels, lambda done: watch(done, len(part))).confusion
        return torch.from_numpy(counts)

    def metrics(self, counts: Tensor) -> dict[str, Any]:
        """MIoU and accuracies, exact over all processes' parts."""
        summary = Metrics(counts.cpu().numpy(), self.labels.classes, len(self.val_pairs)).to_dict()
        return {key: summary[key] for key in METRICS}

    def save(self, state: State, path: Path) -> None:
        """Write the averaged weights as a weights file of ours."""
        config = self.config
        data = {"name": self.labels.name, "split": config.train_split, "pictures": len(self.pairs)}
        told = provenance(config, state, data)
        if state.metrics:
            split = config.val_split if config.fold is None else f"fold {config.fold}"
            told = replace(told, metrics={"split": split, **state.metrics})
        save_weights(replace(self.weights(state.average.state), provenance=told), path)

    def show(self, state: State, log: Log) -> None:
        """A few val pictures beside truth and prediction."""
        segmenter = self.segmenter(self.weights(state.average.state))
        for number, pair in enumerate(self._chosen(SHOWN), 1):
            log.show(f"val/example_{number}", state.step, strip(self._item(segmenter, pair), self.labels))

    def draw(self) -> None:
        """curves.png; and of the best weights, examples.png and report.html. Not again for a run that has them."""
        config, out = self.config, Path(self.config.out)
        log, report = out / "log.jsonl", out / "report.html"
        saved = (out / "state.pt").stat().st_mtime_ns
        drawn = [out / "curves.png", out / "examples.png", report]
        if all(file.exists() and file.stat().st_mtime_ns > saved for file in drawn):
            return
        draw_curves(log, out / "curves.png")
        if not self.val_pairs or config.val_split is None:
            return
        segmenter = self.segmenter(load_weights(out / "best.safetensors"))
        title = f"{out.resolve().name}: {config.model} on {self.labels.name}"
        count = len(self.val_pairs)
        say(f"measuring {config.val_split} with the best weights, {counted(count, 'picture')}, for report.html")
        with progress("pictures") as watch:
            measured = examine(
                predictor(segmenter), self.val_pairs, self.labels, lambda done: watch("report", done, count)
            )
        shown = telling(measured[1], EXAMPLES) or self._chosen(EXAMPLES)
        draw_examples([self._item(segmenter, pair) for pair in shown], self.labels, out / "examples.png")
        write_page(gather(segmenter, self.data, config.val_split, title, measured, log_charts(log)), report)

    def _chosen(self, count: int) -> list[Pair]:
        """Val pictures, evenly spread."""
        places = np.linspace(0, len(self.val_pairs) - 1, min(count, len(self.val_pairs))).round().astype(int)
        return [self.val_pairs[place] for place in places]

    def _item(self, segmenter: Segmenter, pair: Pair) -> Item:
        result = segmenter.segment(pair.read_image(self.preprocess.bands))
        return result.image, pair.read_mask(self.labels), result.mask

    def segmenter(self, weights: Weights) -> Segmenter:
        """What measures and draws with these weights."""
        config = self.config
        return Segmenter(weights, Runtime("torch", config.device, "fp32"), testing=config.testing)

    def weights(self, state: dict[str, Tensor]) -> Weights:
        """The network's tensors, without those of heads that are for training alone, and what is needed to use them."""
        own = {name: tensor for name, tensor in state.items() if not name.startswith(HEADS)}
        return Weights(self.shape, self.labels, self.preprocess, own)


def sampler_of(config: TrainConfig, counts: ClassCounts | None) -> ClassSampler | None:
    """What draws crops for a class, where the run wants that."""
    return ClassSampler(config.sampling, counts) if config.sampling.class_share and counts is not None else None


def _shape(config: TrainConfig, num_classes: int, in_channels: int) -> NetworkConfig:
    published = asdict(Architecture())
    changes = {name: value for name, value in asdict(config.architecture).items() if value != published[name]}
    if config.drop_path is not None:
        changes["drop_path"] = config.drop_path
    return preset(config.model, num_classes=num_classes, in_channels=in_channels, **changes)


def _crop(pairs: Sequence[Pair], labels: Labels, preprocess: Preprocess) -> tuple[int, int]:
    """512 x 512, or the pictures' median size where that is smaller, down to a multiple of the last stage's 32."""
    sizes = []
    for pair in pairs[:: max(1, len(pairs) // LOOKED_AT)]:
        sizes.append(preprocess.size(*pair.read_mask(labels).shape[-2:]))
    height, width = (int(statistics.median_low(side)) for side in zip(*sizes, strict=True))
    return tuple(max(32, min(DEFAULT_CROP, side) // 32 * 32) for side in (height, width))  # type: ignore[return-value]


def freeze(model: Network, stages: int) -> None:
    """Keep the first `stages` stages of the encoder as they are: parameters, BatchNorm statistics, no drop path."""
    for layer in itertools.chain(*model.encoder.layers()[:stages]):
        for module in layer:
            module.requires_grad_(False).eval()
