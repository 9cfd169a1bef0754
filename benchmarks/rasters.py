"""Rasters: peak memory, throughput, seams and accuracy of `segnext predict big.tif --out labels.tif`.

    python benchmarks/rasters.py --weights segnext_t.street memory --sizes 10000x10000 50000x50000
    python benchmarks/rasters.py --weights segnext_t.street memory --sizes 50000x50000 --strips 5     # in less time
    python benchmarks/rasters.py --weights small memory          # of all but the network, a tiny one that gives noise
    python benchmarks/rasters.py speed --size 2048x8192          # beside the network alone, same tile, interleaved
    python benchmarks/rasters.py seams PICTURE...                # natural pictures: two grids 32 pixels apart
    python benchmarks/rasters.py accuracy --data CAMVID          # val in tiles, beside whole pictures

Rasters are written below --work: 50,000 x 50,000 pixels take 50 MB, their labels twice as much.
"""

import argparse
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window
from scenes import draw_scene

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli.options import image_size
from segnext.data.formats.public.open import open_data
from segnext.evaluation.metrics import Metrics, confusion_matrix
from segnext.imageio import read_image
from segnext.inference.load import load
from segnext.inference.rasters.parts import Parts
from segnext.inference.rasters.run import Outputs, segment_raster
from segnext.inference.rasters.strips import Strip
from segnext.inference.segmenter import Segmenter
from segnext.inference.tiling import Grid
from segnext.inference.unfinished import folder_for
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Image, Preprocess

STREAMS = 2  # as `segnext predict`
STRIPS = "strip-*.npz"  # the finished ones
TILE, PERIOD = 512, 8192  # pixels
HEIGHT, TILE_OFFSETS, TILE_SIZES = 257, 324, 325  # entries of a TIFF's directory
LONG, KINDS = 4, {3: "<u2", 4: "<u4"}  # what numbers they may hold


def small_weights(file: Path) -> Path:
    """As many classes as `segnext_t.street` has from a few random channels, next to nothing to compute."""
    torch.manual_seed(0)
    config = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=19)
    state = build(config).state_dict()
    state["decoder.classifier.weight"] *= 100  # so that labels vary
    save_weights(Weights(config, load("segnext_t.street").labels, Preprocess(), state), file)
    return file


def write_raster(file: Path, height: int, width: int) -> None:
    """Drawn streets over and over, with a grid on the ground; its tiles repeat after PERIOD rows."""
    block = np.concatenate([draw_scene(seed, TILE, TILE)[0] for seed in range(8)], axis=1).transpose(2, 0, 1)
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    tiles = {"tiled": True, "blockxsize": TILE, "blockysize": TILE, "compress": "jpeg", "photometric": "ycbcr"}
    ground = Affine(0.1, 0, 500_000, 0, -0.1, 5_000_000)
    drawn = min(height, PERIOD)
    with rasterio.open(file, "w", height=drawn, width=width, transform=ground, **profile, **tiles) as raster:
        for top in range(0, drawn, TILE):
            rows = min(TILE, drawn - top)
            line = np.roll(block, top // 2, axis=2)
            line = np.tile(line, (1, 1, -(-width // line.shape[2])))[:, :rows, :width]
            raster.write(line, window=Window(0, top, width, rows))
    if height > drawn:
        repeat_rows(file, height, -(-width // TILE) * -(-height // TILE))


def repeat_rows(file: Path, height: int, tiles: int) -> None:
    """Make a TIFF higher by listing its tiles again and again; they are in the file once."""
    with file.open("r+b") as content:
        _, directory = struct.unpack("<4sI", content.read(8))
        content.seek(directory)
        (entries,) = struct.unpack("<H", content.read(2))
        for number in range(entries):
            place = directory + 2 + 12 * number
            content.seek(place)
            tag, kind, count, value = struct.unpack("<HHII", content.read(12))
            if tag in (TILE_OFFSETS, TILE_SIZES):
                content.seek(value)
                numbers = np.frombuffer(content.read(count * np.dtype(KINDS[kind]).itemsize), KINDS[kind])
                value = content.seek(0, os.SEEK_END)
                content.write(np.resize(numbers, tiles).astype(KINDS[LONG]).tobytes())
                count = tiles
            elif tag == HEIGHT:
                value = height
            else:
                continue
            content.seek(place)
            content.write(struct.pack("<HHII", tag, LONG, count, value))


def memory(args: argparse.Namespace) -> None:
    """Peak resident memory of the command, for each size."""
    for height, width in args.sizes:
        raster, out = (args.work / f"{height}x{width}.{kind}" for kind in ("tif", "labels.tif"))
        if not raster.exists():
            write_raster(raster, height, width)
        out.unlink(missing_ok=True)
        command = [sys.executable, "-m", "segnext", "predict", raster, "--weights", args.weights, "--out", out]
        if args.strips:
            grid = Grid(height, width, load(args.weights).config.logits_stride)
            print(f"{width:,} x {height:,}, {args.strips} strips of {len(grid.rows)}: ", end="", flush=True)
            run_for_memory(command, out, args.strips)
            copy_strips(out, grid, args.strips)
        print(f"{width:,} x {height:,}: ", end="", flush=True)
        run_for_memory(command, out)


def run_for_memory(command: list[Any], out: Path, strips: int | None = None) -> None:
    """Run to the end, or until that many more strips are finished; print what it took."""
    started, parts = time.perf_counter(), folder_for(out)
    before = len([*parts.glob(STRIPS)])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ended = 0
    while not ended:
        if strips and len([*parts.glob(STRIPS)]) >= before + strips:
            os.kill(process.pid, signal.SIGKILL)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0.1)
    seconds = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    print(
        f"{usage.ru_maxrss / 1e6:.3f} GB, {seconds[0]:.0f} s, {seconds[1]:.0f} s of the processor, status {status}",
        flush=True,
    )


def copy_strips(out: Path, grid: Grid, left: int) -> None:
    """Fill the place of missing strips, but of so many, with the one that was finished last."""
    parts = Parts(folder_for(out), len(grid.rows))
    missing = parts.missing()
    labels = parts.read(missing[0] - 1, "labels")
    assert labels is not None
    for number in missing[:-left]:
        rows = grid.strip(number)
        parts.write(Strip(number, rows, {"labels": np.resize(labels, (rows.stop - rows.start, grid.width))}))


def speed(args: argparse.Namespace) -> None:
    """Pixels a second from file to file, beside the network alone on the same number of tiles of that size, in turns.

    Pixels are those that go through the network, the ones of overlaps as often as they do. The processor's time, all
    cores together, depends less on what else runs than time on the clock does.
    """
    segmenter = load(args.weights, engine=args.engine, streams=STREAMS)
    height, width = args.size
    raster = args.work / f"speed{height}x{width}.tif"
    write_raster(raster, height, width)
    grid = Grid(height, width, segmenter.config.logits_stride, args.tile, args.overlap, segmenter.config.strides[-1])
    together = segmenter.engine.together(*grid.size, len(grid.columns))
    tiles = len(grid.rows) * len(grid.columns)
    seen = tiles * grid.size[0] * grid.size[1]
    batch = np.random.default_rng(0).standard_normal((together, *grid.size, 3)).astype(np.float32)
    print(f"{segmenter.engine.name} {segmenter.engine.precision}, {tiles} tiles, {together} together")

    def alone() -> None:
        with ThreadPoolExecutor(STREAMS) as pool:
            list(pool.map(segmenter.engine, [batch] * (tiles // together)))

    def whole() -> None:
        with scratch(args.work) as out:
            segment_raster(segmenter, raster, Outputs(out), tile=args.tile, overlap=args.overlap)

    rounds = []
    for _ in range(args.repeats):
        network, all_of_it = timed(alone), timed(whole)
        rounds.append(network / all_of_it)
        clock = seen / 1e6 / network[0], seen / 1e6 / all_of_it[0]
        print(
            f"network alone {clock[0]:.2f} Mpx/s; raster {clock[1]:.2f} looked at ({rounds[-1][0]:.2f} of it, "
            f"{rounds[-1][1]:.2f} by the processor's time), {height * width / 1e6 / all_of_it[0]:.2f} of the raster",
            flush=True,
        )
    ratio = np.median(rounds, axis=0)
    print(f"median: {ratio[0]:.2f} of the network's throughput, {ratio[1]:.2f} by the processor's time")


def timed(work: Callable[[], None]) -> NDArray[np.float64]:
    """Seconds on the clock, and of the processor."""
    started = np.array([time.perf_counter(), time.process_time()])
    work()
    spent: NDArray[np.float64] = np.array([time.perf_counter(), time.process_time()]) - started
    return spent


def seams(args: argparse.Namespace) -> None:
    """Share of pixels whose labels differ between two grids of tiles that lie 32 pixels apart."""
    segmenter = load(args.weights, precision="fp32", streams=STREAMS)
    for name in args.pictures:
        picture = enlarged(read_image(name), args.tile + 256)
        whole = -(-max(picture.shape[:2]) // 32) * 32  # one tile
        ways = [(args.tile, overlap) for overlap in (0, args.overlap // 2, args.overlap, 2 * args.overlap)]
        for tile, overlap in (*ways, (whole, 0)):
            one, other = (tiled(segmenter, part, args, overlap, tile) for part in (picture, picture[32:, 32:]))
            differ = (one[32:, 32:] != other).mean()
            print(f"{name} {picture.shape[1]} x {picture.shape[0]}, tile {tile}, overlap {overlap}: {differ:.2%}")


def accuracy(args: argparse.Namespace) -> None:
    """MIoU of val in tiles, for several tiles and overlaps, beside whole pictures."""
    segmenter = load(args.weights, streams=STREAMS)
    data = open_data(args.data, args.format)
    labels = segmenter.labels
    pairs = data.pairs("val")[: args.pictures]
    totals: dict[str, NDArray[np.int64]] = {}
    for pair in pairs:
        image, truth = read_image(pair.image), pair.read_mask(labels)
        masks = {"whole": segmenter(image).mask}
        for tile, overlap in ((256, 64), (352, 64), (352, 128), (352, 0)):
            masks[f"tile {tile}, overlap {overlap}"] = tiled(segmenter, image, args, overlap, tile)
        for way, mask in masks.items():
            matrix = confusion_matrix(truth, mask, len(labels), labels.ignore)
            totals[way] = totals.get(way, 0) + matrix
    for way, matrix in totals.items():
        print(f"{way}: {100 * Metrics(matrix, labels.classes, len(pairs)).miou:.2f} % mIoU on {len(pairs)} pictures")


def tiled(
    segmenter: Segmenter, picture: Image, args: argparse.Namespace, overlap: int, tile: int | None = None
) -> NDArray[np.uint8]:
    """The labels of a picture in memory, made as those of a raster are."""
    with scratch(args.work) as out, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a missing geotransform
        raster = out.with_name("picture.tif")
        shape = {"height": picture.shape[0], "width": picture.shape[1], "count": 3, "dtype": "uint8"}
        with rasterio.open(raster, "w", driver="GTiff", **shape) as file:
            file.write(np.ascontiguousarray(picture.transpose(2, 0, 1)))
        segment_raster(segmenter, raster, Outputs(out), tile=tile or args.tile, overlap=overlap)
        with rasterio.open(out) as file:
            labels: NDArray[np.uint8] = file.read(1)
    return labels


def enlarged(picture: Image, side: int) -> Image:
    """The picture, enlarged until its short side has `side` pixels."""
    scale = max(1, side / min(picture.shape[:2]))
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(PIL.Image.fromarray(picture).resize(size, PIL.Image.Resampling.BICUBIC))


@contextmanager
def scratch(work: Path) -> Iterator[Path]:
    """A file that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        yield Path(folder) / "labels.tif"


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "segnext_rasters")
    parser.add_argument("--weights", default="segnext_t.camvid")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=128)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("memory")
    command.add_argument("--sizes", type=image_size, nargs="+", default=[(10_000, 10_000), (50_000, 50_000)])
    command.add_argument("--strips", type=int, help="look at so many alone, copy them, then the last ones and write")
    command.set_defaults(run=memory)
    command = commands.add_parser("speed")
    command.add_argument("--size", type=image_size, default=(2048, 4096))
    command.add_argument("--repeats", type=int, default=5)
    command.add_argument("--engine", default="auto")
    command.set_defaults(run=speed)
    command = commands.add_parser("seams")
    command.add_argument("pictures", nargs="+")
    command.set_defaults(run=seams)
    command = commands.add_parser("accuracy")
    command.add_argument("--data", type=Path, required=True)
    command.add_argument("--format")
    command.add_argument("--pictures", type=int)
    command.set_defaults(run=accuracy)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.weights == "small":
        args.weights = str(small_weights(args.work / "small.safetensors"))
    args.run(args)


if __name__ == "__main__":
    main()
