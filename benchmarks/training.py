"""Seconds per image of a training step on this machine, ours beside plain PyTorch, interleaved in one run.

    python benchmarks/training.py [--size 360 480] [--batch 4] [--rounds 12] [--json F]

Each way takes one step in turn, so that noise falls on all alike; the medians are compared. "data" is
the time a step waited for its pictures, which threads prepare meanwhile.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from scenes import write_scenes
from torch import Tensor

from segnext.allocator import keep_pages
from segnext.checkpoint.module import create_model
from segnext.data.crops import Crops, batches
from segnext.data.folder import Folder
from segnext.data.known import known_labels
from segnext.kernels import depthwise
from segnext.preprocess import Preprocess
from segnext.training.config import Precision, TrainConfig
from segnext.training.losses.total import TrainLoss
from segnext.training.optim import lr_factor
from segnext.training.step import Batch, Step


@dataclass
class Way:
    """One way to train, with the seconds its steps took."""

    name: str
    step: Step
    memory_format: torch.memory_format
    kernel: bool
    seconds: list[float] = field(default_factory=list)

    def run(self, batch: Batch, number: int) -> None:
        """Take one step and keep its time."""
        use_kernel(self.kernel)
        images, masks = batch
        started = time.perf_counter()
        self.step([(images.contiguous(memory_format=self.memory_format), masks)], number)
        self.seconds.append(time.perf_counter() - started)


ORIGINAL = depthwise._slow_in_torch


def use_kernel(use: bool) -> None:
    """Choose between our depthwise weight gradient and PyTorch's."""
    setattr(depthwise, "_slow_in_torch", ORIGINAL if use else lambda *_: False)  # noqa: B010


def ways(config: TrainConfig) -> list[Way]:
    """Plain; channels_last with bfloat16; the same with our weight gradient, as `segnext train` does it."""
    criterion = TrainLoss(config.loss, known_labels("camvid"), None)

    def step(precision: Precision, memory_format: torch.memory_format, *, plain: bool = False) -> Step:
        chosen = TrainConfig(config.data, config.out, precision=precision, device="cpu", batch_size=config.batch_size)
        model = create_model("segnext_t", num_classes=11)
        model.to(memory_format=memory_format)  # type: ignore[call-overload]

        def loss(forward: Callable[[Tensor], Tensor], images: Tensor, masks: Tensor) -> Tensor:
            if plain:  # as the released code trains on a CPU: contiguous tensors
                return F.cross_entropy(model(images), masks, ignore_index=criterion.ignore)
            return criterion(forward(images), masks)

        return Step(chosen, model.train(), loss, lambda number: lr_factor(number, chosen.iterations, chosen.schedule))

    contiguous, last = torch.contiguous_format, torch.channels_last
    return [
        Way("plain: contiguous, fp32", step("fp32", contiguous, plain=True), contiguous, kernel=False),
        Way("channels_last, bf16", step("bf16", last), last, kernel=False),
        Way("segnext train, fp32", step("fp32", last), last, kernel=True),
        Way("segnext train, bf16", step("bf16", last), last, kernel=True),
    ]


def prepared(folder: Path, config: TrainConfig, size: tuple[int, int], steps: int) -> Iterator[Batch]:
    """The training data of drawn scenes, prepared as a run does."""
    write_scenes(folder, {"train": 16}, height=size[0], width=size[1])
    opened = Folder.open(folder)
    crops = Crops(tuple(opened.pairs("train")), opened.labels, Preprocess(), size, config.augment, config.seed)
    return batches(crops, range(steps * config.batch_size), config.batch_size, config.workers)


def main() -> None:
    """Measure, print a table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(360, 480))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    keep_pages()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(folder, folder, batch_size=args.batch, device="cpu")
        all_ways = ways(config)
        warm_up = 3
        stream = prepared(Path(folder), config, tuple(args.size), (args.rounds + warm_up) * len(all_ways))
        waits = []
        for number in range(args.rounds + warm_up):
            for way in all_ways:
                started = time.perf_counter()
                batch = next(stream)
                waits.append(time.perf_counter() - started)
                way.run(batch, number)
    medians = {way.name: statistics.median(way.seconds[warm_up:]) / args.batch for way in all_ways}
    wait = statistics.median(waits[warm_up * len(all_ways) :]) / args.batch
    reference = medians[all_ways[0].name]
    print(f"SegNeXt-T, {args.size[0]} x {args.size[1]}, batch {args.batch}, {torch.get_num_threads()} threads")
    for name, seconds in medians.items():
        print(f"{name:28}{seconds:8.3f} s/image {reference / seconds:6.2f} x")
    print(f"{'waiting for data':28}{wait:8.4f} s/image")
    if args.json:
        result = {"size": args.size, "batch": args.batch, "seconds_per_image": medians, "waiting_for_data": wait}
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
