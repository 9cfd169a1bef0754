"""The export's gate for networks of every size, format by format.

    python benchmarks/export_gate.py [--models segnext_t.camvid segnext_s segnext_b segnext_l] [--formats onnx:fp16 ...]

What is no name of weights is a model: its weights are random, its norms are those of a photograph. Classes nearly tie
then, so fewer labels agree than of trained ones. A line is printed for each file; of those refused too.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from segnext.checkpoint.find import PACKAGED, weights_path
from segnext.checkpoint.weights import Weights, load_weights
from segnext.data.known import labels_for_count
from segnext.export.formats import KINDS
from segnext.export.gate import photograph
from segnext.export.run import export
from segnext.model.config import preset
from segnext.model.families import build
from segnext.preprocess import Preprocess

CLASSES = 19
CROP, CROPS = 256, 4  # of the photograph, whose means and variances the norms take


def random_weights(model: str) -> Weights:
    """A preset with random weights; its batch norms measured on crops of a photograph."""
    torch.manual_seed(0)
    config, preprocess = preset(model, num_classes=CLASSES), Preprocess()
    network = build(config).train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # the mean over all crops
    random, picture = np.random.default_rng(0), photograph()
    places = [[int(random.integers(0, side - CROP)) for side in picture.shape[:2]] for _ in range(CROPS)]
    crops = [preprocess.normalise(picture[top : top + CROP, left : left + CROP]) for top, left in places]
    with torch.no_grad():
        network(torch.from_numpy(np.stack(crops)))
    return Weights(config, labels_for_count(CLASSES), preprocess, network.eval().state_dict())


def main() -> None:
    """Export, and print what the gate says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["segnext_t.camvid", "segnext_s", "segnext_b", "segnext_l"])
    every = [f"{to}:{precision}" for to, kind in KINDS.items() for precision in kind.precisions if precision != "int8"]
    parser.add_argument("--formats", nargs="+", default=every, metavar="TO:PRECISION")
    args = parser.parse_args()
    print("| network | file | lowest agreement | | MB | seconds |\n|---|---|---|---|---|---|")
    for model in args.models:
        weights = load_weights(weights_path(model)) if model in PACKAGED else random_weights(model)
        for to, precision in (one.split(":") for one in args.formats):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / f"network{KINDS[to].suffix}"
                start = time.perf_counter()
                report = export(weights, to, file, precision=precision)
                seconds = time.perf_counter() - start
                size = sum(one.stat().st_size for one in Path(folder).glob("network.*") if one.suffix != ".json")
            lowest = 100 * min(row.agreement for row in report.rows)
            verdict = f"kept | {size / 1e6:.0f}" if report.passed else "refused |"
            print(f"| {model} | {to} {precision} | {lowest:.3f} % | {verdict} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
