"""Training on several data sets with classes of their own, as a label map merges them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segnext.data.crops import Crops
from segnext.data.formats.public.open import open_data
from segnext.data.merged import Merged, merge
from segnext.data.mixed import Mixed
from segnext.evaluation.evaluate import predictor
from segnext.evaluation.own_classes import joint_counts, own_metrics
from segnext.preprocess import Preprocess
from segnext.training.config import TrainConfig
from segnext.training.data import check_data, class_counts
from segnext.training.losses.sets import with_sets
from segnext.training.losses.total import TrainLoss
from segnext.training.segmentation import Segmentation, sampler_of
from segnext.training.task import Watch


class SeveralData(Segmentation):
    """A network learns the classes of the whole from every data set, each pixel from what its label can tell."""

    data: Merged
    samples: Mixed

    def open(self, config: TrainConfig) -> tuple[TrainConfig, Merged]:
        """The data sets, merged; their places are kept whole, so that the run can be resumed from any folder."""
        assert config.label_map is not None
        more = tuple(str(Path(path).resolve()) for path in config.more_data)
        config = replace(config, more_data=more, label_map=str(Path(config.label_map).resolve()))
        members = []
        for path in (Path(config.data), *map(Path, more)):
            ours = config.format is None or (path / "dataset.yaml").is_file()
            members.append(open_data(path, None if ours else config.format))
        return config, merge(members, Path(str(config.label_map)))

    def check(self) -> None:
        """Look for errors in each data set."""
        for member in self.data.members:
            check_data(member.data, self.splits)

    def crops(self, config: TrainConfig, preprocess: Preprocess, crop: tuple[int, int]) -> Mixed:
        """Samples of all data sets; without `data_weights` every picture is seen as often."""
        parts = []
        for number, member in enumerate(self.data.members):
            pairs = tuple(self.data.coded(member, config.train_split))
            counts = class_counts(config, pairs, self.labels) if config.sampling.class_share else None
            sampler = sampler_of(config, counts)
            parts.append(Crops(pairs, self.labels, preprocess, crop, config.augment, config.seed + number, sampler))
        return Mixed(tuple(parts), config.data_weights or tuple(float(len(part.pairs)) for part in parts))

    def objective(self, config: TrainConfig) -> TrainLoss:
        """Losses that know of pixels of several classes."""
        loss = super().objective(config)
        return with_sets(loss, self.data.sets, len(self.labels), loss.class_weights)

    def files(self) -> list[str]:
        """With the label map."""
        return [*super().files(), str(self.config.label_map)]

    def count(self, weights: dict[str, Tensor], watch: Watch) -> Tensor:
        """For each data set, pixels by their own label and the predicted one; one after the other."""
        predict, split = predictor(self.segmenter(self.weights(weights))), self.config.val_split
        assert split is not None
        parts = [self.processes.part(member.data.pairs(split)) for member in self.data.members]
        counts, done, total = [], 0, sum(map(len, parts))
        for member, pairs in zip(self.data.members, parts, strict=True):
            begun = done

            def progress(number: int, begun: int = begun) -> None:
                watch(begun + number, total)

            counts.append(joint_counts(predict, pairs, member.data.labels, self.labels, progress).ravel())
            done += len(pairs)
        return torch.from_numpy(np.concatenate(counts))

    def metrics(self, counts: Tensor) -> dict[str, Any]:
        """Every data set by its own classes, and the means over the data sets."""
        columns, start, found = len(self.labels), 0, {}
        for member in self.data.members:
            own = member.data.labels
            joint = counts[start : start + len(own) * columns].cpu().numpy().reshape(len(own), columns)
            start += joint.size
            found[member.name] = own_metrics(joint, member.stands_for, own.classes)
        means = {
            key: _mean([one[key] for one in found.values()]) for key in ("miou", "pixel_accuracy", "mean_accuracy")
        }
        iou = {f"{name}: {key}": value for name, one in found.items() for key, value in one["iou"].items()}
        never = [f"{name}: {key}" for name, one in found.items() for key in one["never_predicted"]]
        miou_of = {name: one["miou"] for name, one in found.items()}
        return {**means, "iou": iou, "miou_of": miou_of, "never_predicted": never}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
