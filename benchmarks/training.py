"""Seconds per image of a training step on this machine, ours beside others, interleaved in one run.

    python benchmarks/training.py [--size 256 336] [--batch 8] [--classes 11] [--rounds 12] [--precision bf16]
                                  [--peers] [--memory] [--json F]

Each way takes one step in turn, so that noise falls on all alike. Given are the median of the seconds on the clock, and
the least processor time of a step, which other programs of a busy machine disturb less; with OMP_NUM_THREADS=1 without
that of the threads which prepare data. "waiting for data" is how long a step waited for its pictures. --memory tells
each way's peak in a process of its own; --peers adds SegFormer-B0 and DeepLabV3+ with MobileNetV2, in their plain way,
and the SegFormer-B0 of the package transformers where it is installed.
"""

import argparse
import importlib.util
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from scenes import write_scenes
from torch import Tensor

from segnext.allocator import keep_pages
from segnext.bench.peers import peer_model
from segnext.checkpoint.module import create_model
from segnext.data.crops import Crops, batches
from segnext.data.folder import Folder
from segnext.kernels import depthwise
from segnext.kernels.launch import definitions
from segnext.labels import Labels
from segnext.model.encoders.encoder import Encoder, Layers
from segnext.model.supervised import Supervised
from segnext.model.trainable import Trainable
from segnext.preprocess import Preprocess
from segnext.training.config import Precision, TrainConfig
from segnext.training.losses.total import TrainLoss
from segnext.training.optim import lr_factor
from segnext.training.step import Batch, Step

IGNORE = 255
WARM_UP = 3
MEMORY_STEPS = 4
THEIRS = "SegFormer-B0 of transformers"


@contextmanager
def plain_torch() -> Iterator[None]:
    """Within, nothing but what PyTorch has."""
    ours = depthwise._slow_in_torch
    setattr(depthwise, "_slow_in_torch", lambda *_: False)  # noqa: B010
    with definitions():
        yield
    setattr(depthwise, "_slow_in_torch", ours)  # noqa: B010


class Theirs(Encoder):
    """The SegFormer-B0 of transformers, image -> logits of its size, where an encoder is expected."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.model = peer_model("segformer_b0", classes)

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(self.model(image).logits, size=image.shape[2:], mode="bilinear", align_corners=False)

    def layers(self) -> list[Layers]:
        """All of it is one."""
        return [[[self.model]]]


class Alone(Trainable):
    """An encoder that gives logits itself, as a step takes it."""

    def __init__(self, network: Encoder) -> None:
        super().__init__()
        self.encoder = network

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.encoder(image)]


@dataclass
class Way:
    """One way to train.

    Attributes:
        name: for people.
        model: what is trained, by its name here, or THEIRS.
        precision: its number format.
        last: whether tensors are channels_last and the loss takes low-resolution logits, or all is as in the released
            code.
        within: the context of its steps.
        seconds: of its steps, on the clock.
        processor: the same, on all processors together.
    """

    name: str
    model: str
    precision: Precision
    last: bool
    within: Callable[[], AbstractContextManager[None]]
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def prepare(self, config: TrainConfig, classes: int) -> None:
        """Build the network and its step."""
        chosen = TrainConfig(
            config.data, config.out, precision=self.precision, device="cpu", batch_size=config.batch_size
        )
        model = Theirs(classes) if self.model == THEIRS else create_model(self.model, num_classes=classes)
        self.format = torch.channels_last if self.last else torch.contiguous_format
        model.to(memory_format=self.format)  # type: ignore[call-overload]
        names = tuple(map(str, range(classes)))
        criterion = TrainLoss(chosen.loss, Labels("any", names, ((0, 0, 0),) * classes, IGNORE), None)

        def loss(forward: Callable[[Tensor], list[Tensor]], images: Tensor, masks: Tensor) -> Tensor:
            if not self.last:
                return F.cross_entropy(model(images), masks, ignore_index=criterion.ignore)
            (logits,) = forward(images)
            return criterion(logits, masks)

        factor = lambda number: lr_factor(number, chosen.iterations, chosen.schedule)  # noqa: E731
        trained = Alone(model) if isinstance(model, Encoder) else Supervised(model)
        self.step = Step(chosen, trained.train(), loss, factor)

    def run(self, batch: Batch, number: int) -> None:
        """Take one step and keep its time."""
        images, masks = batch
        images = images.contiguous(memory_format=self.format)
        clock = time.thread_time if torch.get_num_threads() == 1 else time.process_time  # without data, if it can be
        with self.within():
            started, busy = time.perf_counter(), clock()
            self.step([(images, masks)], number)
            self.seconds.append(time.perf_counter() - started)
            self.processor.append(clock() - busy)


def ways(precision: Precision, peers: bool) -> list[Way]:
    """The released code's way, torch's best, that with our depthwise gradient alone, and what `segnext train` does."""
    found = [
        Way("plain: contiguous, fp32", "segnext_t", "fp32", False, plain_torch),
        Way(f"channels_last, {precision}", "segnext_t", precision, True, plain_torch),
        Way(f"and depthwise gradient, {precision}", "segnext_t", precision, True, definitions),
        Way(f"segnext train, {precision}", "segnext_t", precision, True, nullcontext),
    ]
    if peers:
        found += [
            Way("SegFormer-B0, fp32", "segformer_b0", "fp32", False, plain_torch),
            Way("DeepLabV3+ MobileNetV2, fp32", "deeplabv3plus_mobilenet_v2", "fp32", False, plain_torch),
        ]
        if importlib.util.find_spec("transformers"):
            found.append(Way(f"{THEIRS}, fp32", THEIRS, "fp32", False, plain_torch))
    return found


def prepared(folder: Path, config: TrainConfig, size: tuple[int, int], classes: int, steps: int) -> Iterator[Batch]:
    """The training data of drawn scenes, prepared as a run does; labels are spread over all classes."""
    if not folder.joinpath("dataset.yaml").exists():
        write_scenes(folder, {"train": 16}, height=size[0], width=size[1])
    opened = Folder.open(folder)
    crops = Crops(tuple(opened.pairs("train")), opened.labels, Preprocess(), size, config.augment, config.seed)
    for images, masks in batches(crops, range(steps * config.batch_size), config.batch_size, config.workers):
        yield images, torch.where(masks == opened.labels.ignore, IGNORE, masks * (classes // len(opened.labels)))


def peak(way: Way, folder: str, args: argparse.Namespace, sender: Any) -> None:
    """Send the bytes that some steps of `way` take beyond those of a process that is ready to train."""
    keep_pages()
    config = TrainConfig(folder, folder, batch_size=args.batch, device="cpu")
    way.prepare(config, args.classes)
    stream = prepared(Path(folder), config, tuple(args.size), args.classes, MEMORY_STEPS)
    batch = next(stream)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(MEMORY_STEPS):
        way.run(batch, number)
    sender.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def peaks(found: list[Way], folder: str, args: argparse.Namespace) -> list[int]:
    """`peak` of every way, each in a new process."""
    sizes = []
    for way in found:
        receiver, sender = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=peak, args=(way, folder, args, sender))
        process.start()
        sender.close()  # so that a process that fails is not waited for
        sizes.append(receiver.recv())
        process.join()
    return sizes


def main() -> None:
    """Measure, print a table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 336))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    keep_pages()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        config = TrainConfig(folder, folder, batch_size=args.batch, device="cpu")
        found = ways(args.precision, args.peers)
        steps = (args.rounds + WARM_UP) * len(found)
        stream = prepared(Path(folder), config, tuple(args.size), args.classes, steps)
        stack.callback(stream.close)  # type: ignore[attr-defined]
        batch = next(stream)
        sizes = peaks(found, folder, args) if args.memory else [0] * len(found)
        for way in found:
            way.prepare(config, args.classes)
        waits = []
        for number in range(args.rounds + WARM_UP):
            for way in found:
                way.run(batch, number)
                started = time.perf_counter()
                batch = next(stream, batch)
                waits.append(time.perf_counter() - started)
    report(found, sizes, statistics.median(waits[WARM_UP:]) / args.batch, args)


def report(found: list[Way], sizes: list[int], wait: float, args: argparse.Namespace) -> None:
    """Print the table, and write it."""
    rows: dict[str, dict[str, float]] = {}
    for way, size in zip(found, sizes, strict=True):
        seconds = statistics.median(way.seconds[WARM_UP:]) / args.batch
        rows[way.name] = {
            "seconds_per_image": seconds,
            "processor": min(way.processor[WARM_UP:]) / args.batch,
            "peak": size,
        }
    head = f"{args.size[0]} x {args.size[1]}, batch {args.batch}, {args.classes} classes"
    print(f"{head}, {torch.get_num_threads()} threads")
    print(f"{'':34}{'s/image':>9}{'x':>7}{'processor s':>13}{'x':>7}{'MB':>8}")
    first = next(iter(rows.values()))
    for name, row in rows.items():
        ratio, busy = (first[key] / row[key] for key in ("seconds_per_image", "processor"))
        cells = f"{row['seconds_per_image']:9.3f}{ratio:7.2f}{row['processor']:13.3f}{busy:7.2f}"
        print(f"{name:34}{cells}{row['peak'] / 1e6:8.0f}")
    if args.peers and f"{THEIRS}, fp32" not in rows:
        print(f"{THEIRS}: left out, for transformers is not installed")
    print(f"{'waiting for data':34}{wait:9.4f}")
    if args.json:
        result = {"size": args.size, "batch": args.batch, "ways": rows, "waiting_for_data": wait}
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
