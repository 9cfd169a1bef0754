"""mIoU of several ways to look at the pictures of a split, every look at a picture computed once for all of them.

    python benchmarks/testing.py --data CAMVID [--split val] [--weights W] [--slide 256 192] [--json F]

The figures are those of `segnext eval` with the options that each line names. Seconds are of the processor, all cores
together, for a picture in memory to its labels; they depend less on what else runs than time on the clock does.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segnext.data.formats.public.open import open_data
from segnext.evaluation.metrics import Metrics, confusion_matrix
from segnext.inference.load import load
from segnext.inference.look import look
from segnext.inference.segmenter import Segmenter
from segnext.inference.testing import PAPER_SCALES, Testing
from segnext.kernels.average import Look, vote
from segnext.preprocess import Image, Raster


class Timed(NamedTuple):
    """What the network said at one scale, and the processor's seconds that it took."""

    scale: float
    look: Look
    seconds: float


def timed(segmenter: Segmenter, image: Image | Raster, testing: Testing) -> Iterator[Timed]:
    """All looks that a way of testing asks for."""
    scales = [scale for scale in testing.scales for _ in range(1 + testing.flip)]
    looks = look(segmenter.engine, image, segmenter.preprocess, testing, segmenter.config)
    for scale in scales:
        started = time.process_time()
        yield Timed(scale, next(looks), time.process_time() - started)


def ways(segmenter: Segmenter, image: Image | Raster, slide: tuple[int, int]) -> Iterator[tuple[str, list[Timed]]]:
    """The options of each way, and its looks."""
    looks = list(timed(segmenter, image, Testing(scales=PAPER_SCALES, flip=True)))
    whole = [one for one in looks if one.scale == 1]
    yield "(single scale)", whole[:1]
    yield "--flip", whole
    yield f"--scales {' '.join(map(str, PAPER_SCALES))}", looks[::2]
    yield "--tta", looks
    larger = [one for one in looks if one.scale > 0.5]
    yield f"--scales {' '.join(map(str, PAPER_SCALES[1:]))} --flip", larger
    yield f"--slide {slide[0]} {slide[1]}", list(timed(segmenter, image, Testing(slide=slide)))


def main() -> None:
    """Measure, print a table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--format")
    parser.add_argument("--split", default="val")
    parser.add_argument("--weights", default="segnext_t.camvid")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--slide", type=int, nargs=2, default=(256, 192))
    parser.add_argument("--json", type=Path, help="written after every picture, so that a run can be looked into")
    args = parser.parse_args()
    folder = open_data(args.data, args.format)
    segmenter = load(args.weights, engine=args.engine, precision="fp32")
    labels = segmenter.labels
    confusion: dict[str, NDArray[np.int64]] = {}
    seconds: dict[str, float] = {}
    pairs = folder.pairs(args.split)
    for done, pair in enumerate(pairs, 1):
        image, truth = pair.read_image(segmenter.preprocess.bands), pair.read_mask(labels)
        for name, looks in ways(segmenter, image, tuple(args.slide)):
            started = time.process_time()
            mask, _ = vote([one.look for one in looks], image.shape[:2])
            spent = time.process_time() - started + sum(one.seconds for one in looks)
            confusion[name] = confusion.get(name, 0) + confusion_matrix(truth, mask, len(labels), labels.ignore)
            seconds[name] = seconds.get(name, 0.0) + spent
        lines = {
            name: (100 * Metrics(confusion[name], labels.classes, done).miou, seconds[name] / done) for name in seconds
        }
        if args.json:
            args.json.write_text(json.dumps({"images": done, "miou, seconds": lines}, indent=1) + "\n")
    print(f"{len(pairs)} pictures, {segmenter.engine.name} {segmenter.engine.precision}")
    for name, (miou, spent) in lines.items():
        print(f"{name:45}{miou:7.2f} %{spent:8.3f} s")


if __name__ == "__main__":
    main()
