"""What a step of pre-training costs: reading and cropping, augmentation, the network.

Run: python benchmarks/pretraining.py [--model segnext_t] [--size 64] [--batch 128] [--threads 1]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from segnext.allocator import keep_pages
from segnext.model.classifier import create_classifier
from segnext.preprocess import Preprocess
from segnext.pretraining.augment import augment_batch, mix
from segnext.pretraining.classification import mixed_loss
from segnext.pretraining.config import PictureAugment, PretrainConfig
from segnext.pretraining.folder import Pictures
from segnext.pretraining.samples import TrainSamples
from segnext.training.processes import Processes
from segnext.training.start import decide
from segnext.training.step import Step

REPEATS = 7


def main() -> None:
    """Print milliseconds for a picture, the median of several repetitions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="segnext_t")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_pages()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = TrainSamples(_pictures(folder, args.batch, args.size), args.size, PictureAugment(), 0)
        batch = [samples[number] for number in range(args.batch)]
        images, targets = (torch.stack(parts) for parts in zip(*batch, strict=True))
        random = np.random.default_rng(0)

        def augmented() -> None:
            mix(augment_batch(images, Preprocess(), PictureAugment(), random), PictureAugment(), random)

        settings = PretrainConfig("", "", model=args.model, batch_size=args.batch, accumulate=1, device="cpu")
        config = decide(settings, Processes(), resume=False)
        model = create_classifier(args.model, 1000).train()
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        step = Step(config, model, partial(mixed_loss, config, 1000), lambda number: 1.0)
        for part, work in (
            ("reading, cropping, resizing (one thread)", lambda: [samples[n] for n in range(args.batch)]),
            ("RandAugment, erasing, mixing", augmented),
            (f"whole step without reading, {config.precision}", lambda: step([(images, targets)], 0)),
        ):
            print(f"{part:42} {1000 * _seconds(work) / args.batch:8.3f} ms/picture")


def _pictures(folder: Path, count: int, size: int) -> Pictures:
    """JPEGs of soft patches of colour."""
    files = []
    for number in range(count):
        values = np.random.default_rng(number).integers(0, 256, (size // 8, size // 8, 3), np.uint8)
        path = folder / f"{number}.jpg"
        PIL.Image.fromarray(values).resize((size, size), PIL.Image.Resampling.BICUBIC).save(path, quality=90)
        files.append(str(path))
    return Pictures(tuple(files), np.arange(count) % 1000)


def _seconds(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
