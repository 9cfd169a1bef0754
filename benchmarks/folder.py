"""Pictures per second of `segnext predict` on a folder, beside those of the network alone, in turns in one run.

    python benchmarks/folder.py FOLDER [--count 200] [--rounds 5] [--weights segnext_t.camvid] [--json F]

The network alone is the engine as it runs for one picture, all cores for it, fed again and again with one prepared
picture. Predict reads, prepares, segments, draws and writes each of them. Loading the weights counts in neither.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from segnext.imageio import read_image
from segnext.inference.load import load
from segnext.inference.predict import predict_files
from segnext.inference.prepare import prepare
from segnext.inference.sources import expand
from segnext.preprocess import padding


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--weights", default="segnext_t.camvid")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    files = [entry.file for entry in expand([args.folder])][: args.count]
    alone = load(args.weights, "cpu", engine=args.engine)
    several = load(args.weights, "cpu", engine=args.engine, streams=2)
    image = read_image(files[0])
    height, width = image.shape[:2]
    below, right = padding(height, width, alone.config.strides[-1])
    x = prepare(image, alone.preprocess, (height + below, width + right))
    network, predict = [], []
    with tempfile.TemporaryDirectory() as out:
        predict_files(several, files[:8], Path(out))
        alone.engine(x)
        for _ in range(args.rounds):
            started = time.perf_counter()
            for _ in files:
                alone.engine(x)
            between = time.perf_counter()
            predict_files(several, files, Path(out))
            network.append((between - started) / len(files))
            predict.append((time.perf_counter() - between) / len(files))
    ratio = statistics.median(n / p for n, p in zip(network, predict, strict=True))
    seconds = {"network": statistics.median(network), "predict": statistics.median(predict)}
    print(f"{alone.engine.name} {alone.engine.precision}, {len(files)} pictures, {x.shape[1]} x {x.shape[2]}")
    for name, value in seconds.items():
        print(f"{name:10}{1e3 * value:8.1f} ms a picture {1 / value:8.1f} pictures/s")
    print(f"predict has {ratio:.2f} of the network's throughput (median of {args.rounds} rounds)")
    if args.json:
        args.json.write_text(json.dumps({"seconds": seconds, "ratio": ratio}, indent=1) + "\n")


if __name__ == "__main__":
    main()
