"""`segnext predict big.tif` beside geoai's `predict_geotiff` with the same network: time, peak memory, seams, borders.

    pip install --no-deps geoai-py==0.40.1        # the function needs nothing else that is not here
    python benchmarks/raster_peers.py RASTER... [--weights segnext_t.street] [--rounds 3]

Each way runs in a process of its own, in turns, on one thread, with the same tiles and overlap, the network in float32
with torch; ours also as it runs by default. Time is the processor's, from the raster's file to that of its labels,
without imports and the weights. Seams are the pixels whose labels differ once the raster begins 32 pixels later, which
moves the grid of tiles. What becomes of pixels along the raster's border and of nodata is counted too.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from segnext.inference.load import load
from segnext.inference.prepare import prepare
from segnext.inference.rasters.run import Outputs, segment_raster
from segnext.inference.segmenter import Segmenter
from segnext.silence import silenced

WAYS = ("segnext", "segnext torch fp32", "geoai spline", "geoai cosine")
PLAIN: dict[str, Any] = {"engine": "torch", "precision": "fp32"}
NOTHING = 255  # in a raster of labels
MOVED = 32  # pixels


def geoai() -> Any:
    """The module with its function for rasters, without the rest of the package, whose imports are many.

    Raises:
        SystemExit: when it is not installed.
    """
    found = util.find_spec("geoai")
    if found is None or found.origin is None:
        raise SystemExit("geoai is not installed; pip install --no-deps geoai-py==0.40.1")
    folder = Path(found.origin).parent
    sys.modules["geoai"] = types.ModuleType("geoai")
    modules = {}
    for name, file in (("geoai.utils", "utils/device.py"), ("geoai.inference", "inference.py")):
        spec = util.spec_from_file_location(name, folder / file)
        assert spec is not None
        assert spec.loader is not None
        modules[name] = sys.modules[name] = util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    return modules["geoai.inference"]


def by_geoai(segmenter: Segmenter, blend: str, args: argparse.Namespace) -> Callable[[], object]:
    """Its function, as its documentation has it for classes: their logits blended, the largest taken."""

    def normalised(tile: NDArray[np.float32]) -> NDArray[np.float32]:
        x = prepare(tile.transpose(1, 2, 0).astype(np.uint8), segmenter.preprocess, tile.shape[1:])
        return np.ascontiguousarray(x[0].transpose(2, 0, 1))

    def largest(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
        labels: NDArray[np.uint8] = logits.argmax(0).astype(np.uint8)
        labels[(logits == NOTHING).all(0)] = NOTHING  # what the function fills in where tiles have no weight
        return labels

    return partial(
        geoai().predict_geotiff,
        segmenter.model.eval(),
        str(args.raster),
        str(args.out),
        args.tile,
        args.overlap,
        num_classes=len(segmenter.labels),
        output_dtype="uint8",
        output_nodata=NOTHING,
        blend_mode=blend,
        preprocess_fn=normalised,
        postprocess_fn=largest,
        device="cpu",
        verbose=False,
    )


def run(args: argparse.Namespace) -> None:
    """One way with one raster, in this process; prints seconds of the processor and the peak of its memory in GB."""
    torch.set_num_threads(1)
    name, _, how = args.run.partition(" ")
    segmenter = load(args.weights, "cpu", **PLAIN) if how else load(args.weights, "cpu")
    if name == "geoai":
        work = by_geoai(segmenter, how, args)
    else:
        work = partial(segment_raster, segmenter, args.raster, Outputs(args.out), tile=args.tile, overlap=args.overlap)
    started = time.process_time()
    with silenced:
        work()
    seconds = time.process_time() - started
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))


def labels_by(way: str, raster: Path, args: argparse.Namespace) -> tuple[NDArray[np.uint8], list[float]]:
    """The labels of a raster, and what `run` has measured."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "labels.tif"
        options = ["--weights", args.weights, "--tile", str(args.tile), "--overlap", str(args.overlap)]
        command = [sys.executable, __file__, str(raster), *options, "--run", way, "--out", str(out)]
        alone = {**os.environ, "OMP_NUM_THREADS": "1"}
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=alone).stdout
        with rasterio.open(out) as file:
            return file.read(1), json.loads(said.splitlines()[-1])


def copied(raster: Path, out: Path, first: int) -> Path:
    """The raster from a row and column on, uncompressed: geoai cannot write labels of a JPEG-compressed one."""
    with rasterio.open(raster) as file:
        window = Window(first, first, file.width - first, file.height - first)
        profile = {key: file.profile[key] for key in ("count", "dtype", "nodata", "crs")}
        place = {"height": window.height, "width": window.width, "transform": file.window_transform(window)}
        with rasterio.open(out, "w", driver="GTiff", **profile, **place) as other:
            other.write(file.read(window=window))
    return out


def compare(raster: Path, args: argparse.Namespace) -> None:
    """All ways with one raster."""
    with rasterio.open(raster) as file, tempfile.TemporaryDirectory() as folder:
        height, width = file.shape
        measured = file.read_masks().any(0)
        print(f"{raster.name}: {width} x {height}, tiles of {args.tile}, overlap {args.overlap}", flush=True)
        whole, later = (copied(raster, Path(folder) / f"{first}.tif", first) for first in (0, MOVED))
        spent: dict[str, list[list[float]]] = {way: [] for way in WAYS}
        for _ in range(args.rounds):
            for way in WAYS:
                labels, cost = labels_by(way, whole, args)
                spent[way].append(cost)
                if len(spent[way]) == 1:
                    _say(way, labels, labels_by(way, later, args)[0], measured)
    for way, costs in spent.items():
        ratio = statistics.median(cost[0] / first[0] for cost, first in zip(costs, spent[WAYS[1]], strict=True))
        seconds, memory = (statistics.median(column) for column in zip(*costs, strict=True))
        print(f"  {way}: {seconds:.1f} s of the processor ({ratio:.2f} of {WAYS[1]}), {memory:.2f} GB", flush=True)


def _say(way: str, labels: NDArray[np.uint8], later: NDArray[np.uint8], measured: NDArray[np.bool_]) -> None:
    both = measured[MOVED:, MOVED:] & (labels[MOVED:, MOVED:] != NOTHING) & (later != NOTHING)
    seams = (labels[MOVED:, MOVED:] != later)[both].mean()
    edge = np.ones(labels.shape, np.bool_)
    edge[1:-1, 1:-1] = False
    print(
        f"  {way}: seams {seams:.2%}; measured pixels of the border without a label "
        f"{_share(labels[edge & measured] == NOTHING)}; pixels of nodata with one "
        f"{_share(labels[~measured] != NOTHING)}",
        flush=True,
    )


def _share(found: NDArray[np.bool_]) -> str:
    return f"{found.mean():.0%}" if found.size else "(none there)"


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rasters", type=Path, nargs="+")
    parser.add_argument("--weights", default="segnext_t.street")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        args.raster = args.rasters[0]
        run(args)
        return
    geoai()
    for raster in args.rasters:
        compare(raster, args)


if __name__ == "__main__":
    main()
