"""Seconds of processor time of each loss, and of a sample with and without crops drawn for a class.

    python benchmarks/losses.py [--shape 8 11 256 336] [--data DIR] [--rounds 5]

Each loss takes its turn, forward and backward on one thread, so that noise falls on all alike; the medians are
compared. With --data, samples of its train split are drawn, and the share of the crops that show each class.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from segnext.data.counts import count_classes
from segnext.data.crops import Crops
from segnext.data.folder import Folder
from segnext.data.sampling import ClassSampler, Sampling
from segnext.data.transforms import Augment
from segnext.labels import Labels
from segnext.preprocess import Preprocess
from segnext.training.losses.config import TERMS, Loss
from segnext.training.losses.total import TrainLoss

SAMPLES = 200


def seconds(function: Callable[[], object]) -> float:
    """Processor time of one call."""
    started = time.process_time()
    function()
    return time.process_time() - started


def time_losses(shape: tuple[int, int, int, int], rounds: int) -> None:
    """Print the seconds of every loss for a batch of random logits and of masks in blocks."""
    batch, classes, height, width = shape
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=random, requires_grad=True)
    blocks = torch.randint(0, classes, (batch, 1, height // 32, width // 32), generator=random)
    target = blocks.repeat_interleave(32, 2).repeat_interleave(32, 3)[:, 0, :height, :width]
    target = torch.nn.functional.pad(target, (0, width - target.shape[2], 0, height - target.shape[1]), value=255)
    planes = torch.stack([(target == label).byte() for label in range(classes)], 1)
    one = Labels("one", tuple(map(str, range(classes))), ((0, 0, 0),) * classes)
    print(f"{batch} x {classes} x {height} x {width}, forward and backward{'':8}one label   multi-label")
    none = dict.fromkeys(TERMS, 0.0)
    rows: dict[str, list[list[float]]] = {name: [[], []] for name in TERMS}
    for _ in range(rounds):
        for name, row in rows.items():
            for times, labels, truth in zip(row, (one, replace(one, multi_label=True)), (target, planes), strict=True):
                if name == "ohem" and labels.multi_label:
                    continue
                loss = TrainLoss(Loss(**{**none, name: 1.0}), labels, None)  # type: ignore[arg-type]
                times.append(seconds(lambda loss=loss, truth=truth: loss(logits, truth).backward()))  # type: ignore[misc]
                logits.grad = None
    for name, row in rows.items():
        cells = [f"{statistics.median(times):10.3f} s" if times else f"{'-':>12}" for times in row]
        print(f"  {name:44}{cells[0]}{cells[1]}")


def time_samples(data: Path) -> None:
    """Print what crops drawn for a class cost, and how often each class is seen."""
    folder = Folder.open(data)
    pairs = tuple(folder.pairs("train"))
    started = time.process_time()
    counts = count_classes(pairs, folder.labels, 1)
    print(f"counting the classes of {len(pairs)} masks: {time.process_time() - started:.2f} s, once")
    size = pairs[0].read_image().shape[:2]
    crop = (min(256, size[0]), min(256, size[1]))
    plain = Crops(pairs, folder.labels, Preprocess(), crop, Augment(), 0)
    settings = {"as the paper": Sampling(), "balanced": Sampling(0.5), "rare classes": Sampling(0.5, 0.5)}
    shown = []
    for name, sampling in settings.items():
        crops = replace(plain, sampler=ClassSampler(sampling, counts)) if sampling.class_share else plain
        started = time.process_time()
        masks = [crops[number][1] for number in range(SAMPLES)]
        spent = time.process_time() - started
        print(f"  {name:14}{1000 * spent / SAMPLES:6.1f} ms a sample, {crop[0]} x {crop[1]}")
        present = [_present(mask.numpy(), folder.labels) for mask in masks]
        shown.append([100 * sum(label in one for one in present) / SAMPLES for label in range(len(folder.labels))])
    print(f"% of crops that show a class{'':6}" + "".join(f"{name:>14}" for name in settings))
    for label, name in enumerate(folder.labels.classes):
        print(
            f"  {name:22}{100 * counts.frequencies[label]:6.2f} % px" + "".join(f"{row[label]:14.1f}" for row in shown)
        )


def _present(mask: np.ndarray, labels: Labels) -> set[int]:
    if labels.multi_label:
        return {label for label, plane in enumerate(mask) if (plane == 1).any()}
    return set(np.unique(mask).tolist())


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=4, default=(8, 11, 256, 336), metavar=("B", "C", "H", "W"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    time_losses(tuple(args.shape), args.rounds)
    if args.data:
        time_samples(args.data)


if __name__ == "__main__":
    main()
