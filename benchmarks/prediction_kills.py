"""Kill `segnext predict` at random moments, run it again, and compare: a raster, a folder and a video must be the same.

    python benchmarks/prediction_kills.py [--kills 50] [--processes 1 2 4] [--seed 0] [--kinds raster folder video]

Each kind is made once undisturbed; then processes share it, and are killed (SIGKILL) after a random time and started
again until they end by themselves once the kills are used up. Every file must have the bytes of the undisturbed run;
hidden files may not be left. Processes are forked, so that a kill hits the work and not the imports before it.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from scenes import draw_scene

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import main as segnext
from segnext.data.known import known_labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess

KINDS = ("raster", "folder", "video")


def prepare(folder: Path, pictures: int) -> None:
    """A small network, a raster, a folder of pictures and a video."""
    import av
    import rasterio

    torch.manual_seed(0)
    config = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=11)
    weights = Weights(config, known_labels("camvid"), Preprocess(), build(config).state_dict())
    save_weights(weights, folder / "small.safetensors")
    scenes = [draw_scene(seed, 96, 128)[0] for seed in range(24)]
    (folder / "pictures").mkdir()
    for number in range(pictures):
        PIL.Image.fromarray(scenes[number % len(scenes)]).save(folder / f"pictures/{number:06d}.png")
    whole = np.concatenate([np.concatenate(scenes[:8], 1)] * 16, 0)
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    grid = rasterio.transform.from_origin(500_000, 5_000_000, 0.5, 0.5)
    with rasterio.open(
        folder / "big.tif", "w", height=len(whole), width=whole.shape[1], transform=grid, **profile
    ) as out:
        out.write(whole.transpose(2, 0, 1))
    with av.open(str(folder / "street.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = 96, 128
        for number in range(4 * pictures):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(scenes[number // 8 % len(scenes)], format="rgb24")))
        film.mux(stream.encode(None))


def arguments(kind: str, folder: Path, out: Path) -> list[str]:
    """What makes one kind into the folder `out`."""
    options = ["--weights", str(folder / "small.safetensors"), "--engine", "torch", "--precision", "fp32"]
    if kind == "raster":
        files = ["--out", str(out / "labels.tif"), "--confidence", str(out / "sure.tif")]
        return ["predict", str(folder / "big.tif"), *files, "--tile", "128", "--overlap", "32", *options]
    source = folder / ("pictures" if kind == "folder" else "street.mp4")
    return ["predict", str(source), "--out", str(out), *options, *(["--smooth", "1"] if kind == "video" else [])]


def start(command: list[str], share: str) -> int:
    """A process that does a share of it."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        torch.set_num_threads(1)
        os._exit(segnext([*command, "--share", share]))
    return child


def disturbed(
    command: list[str], processes: int, kills: int, longest: float, chance: random.Random
) -> tuple[list[int], int]:
    """Run until all shares are done, killing one of them at a time.

    Returns:
        The exit codes of those that ended by themselves, and how many kills are left.
    """
    shares = [f"{number}/{processes}" for number in range(1, processes + 1)]
    running = {start(command, share): share for share in shares}
    codes = []
    while running:
        if kills:
            time.sleep(chance.uniform(0.05, longest))
            os.kill(chance.choice(list(running)), signal.SIGKILL)
            kills -= 1
        child, status = os.wait()
        share = running.pop(child)
        if os.WIFSIGNALED(status):
            running[start(command, share)] = share
        else:
            codes.append(os.waitstatus_to_exitcode(status))
    return codes, kills


def content(out: Path) -> dict[str, bytes]:
    """The files that a run has left, by name."""
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def main() -> int:
    """Run, report, and say whether all was the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder, chance = Path(name), random.Random(args.seed)
        prepare(folder, args.pictures)
        for kind in args.kinds:
            begun = time.monotonic()
            _, status = os.waitpid(start(arguments(kind, folder, folder / kind), "1/1"), 0)
            longest, expected = time.monotonic() - begun, content(folder / kind)
            for processes in args.processes:
                left, rounds, same = args.kills, 0, status == 0
                out = folder / f"{kind}.{processes}"
                while left or not rounds:  # until all kills are used up
                    codes, left = disturbed(arguments(kind, folder, out), processes, left, longest / 2, chance)
                    same &= content(out) == expected and set(codes) == {0}
                    rounds += 1
                    shutil.rmtree(out)
                failed |= not same
                said = "same" if same else "DIFFERENT"
                print(f"{kind}, {processes} processes, {args.kills} kills in {rounds} runs: {said}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
