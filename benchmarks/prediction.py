"""Milliseconds per image from photo in memory to labels, ours beside the plain eager path, interleaved in one run.

    python benchmarks/prediction.py [--size 384 480] [--classes 11] [--rounds 20] [--json F]

Plain is what the released code does: contiguous tensors, logits resized to the image, softmax, argmax.
At multiples of 32 both see the same input; `segnext predict` pads other sizes. It also gives the confidence of
every pixel, which plain does here with one more maximum.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from segnext.allocator import keep_pages
from segnext.checkpoint.file import Weights
from segnext.data.known import labels_for_count
from segnext.inference.segmenter import Segmenter
from segnext.model.config import preset
from segnext.model.network import build
from segnext.preprocess import Image, Preprocess

Mask = NDArray[np.uint8]


def plain(segmenter: Segmenter, image: Image) -> Mask:
    """The released code's way."""
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(segmenter.preprocess.normalise(image)))[None]
        probabilities = segmenter.model(x).softmax(dim=1)
        _confidence, labels = probabilities.max(dim=1)
    return np.asarray(labels[0].numpy(), np.uint8)


def main() -> None:
    """Measure, print a table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(384, 480))
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--model", default="segnext_t")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    keep_pages()  # for both, so that the comparison is of the paths alone
    config = preset(args.model, num_classes=args.classes)
    torch.manual_seed(0)
    segmenter = Segmenter(Weights(config, labels_for_count(args.classes), Preprocess(), build(config).state_dict()))
    image = np.random.default_rng(0).integers(0, 256, (*args.size, 3), np.uint8)
    ways: dict[str, Callable[[], Mask]] = {
        "plain": lambda: plain(segmenter, image),
        "segnext": lambda: segmenter(image).mask,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds + 3):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: 1e3 * statistics.median(values[3:]) for name, values in seconds.items()}
    agree = float((ways["plain"]() == ways["segnext"]()).mean())
    print(f"{args.model}, {args.size[0]} x {args.size[1]}, {args.classes} classes, {torch.get_num_threads()} threads")
    for name, value in medians.items():
        print(f"{name:10}{value:8.1f} ms {medians['plain'] / value:6.2f} x")
    print(f"labels that agree: {100 * agree:.3f} %")
    if args.json:
        args.json.write_text(json.dumps({"milliseconds": medians, "agreement": agree}, indent=1) + "\n")


if __name__ == "__main__":
    main()
