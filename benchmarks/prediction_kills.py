"""Kill `segnext predict` at random moments, run it again, and compare: a raster, a folder and a video must be the same.

    python benchmarks/prediction_kills.py [--kills 50] [--processes 1 2 4] [--seed 0] [--kinds raster folder video]
    python benchmarks/prediction_kills.py --kinds folder --pictures 20000 --size 24x32 --kills 3 --processes 2

Each kind is made once undisturbed; then processes share it, and are killed (SIGKILL) after a random time and started
again until they end by themselves once the kills are used up. Every file must have the bytes of the undisturbed run;
hidden files may not be left. Processes are forked, so that a kill hits the work and not the imports before it. Of a
folder the undisturbed process's memory is told, after a tenth of the pictures and after all.
"""

import argparse
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from scenes import draw_scene

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import main as segnext
from segnext.cli.options import image_size
from segnext.data.known import known_labels
from segnext.inference.outputs import RESULTS
from segnext.inference.unfinished import folder_for
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Image, Preprocess

KINDS = ("raster", "folder", "video")


def prepare(folder: Path, kinds: Sequence[str], pictures: int, size: tuple[int, int]) -> None:
    """A small network, and of a raster, a folder of pictures and a video those that are asked for."""
    torch.manual_seed(0)
    config = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=11)
    weights = Weights(config, known_labels("camvid"), Preprocess(), build(config).state_dict())
    save_weights(weights, folder / "small.safetensors")
    scenes = [draw_scene(seed, *size)[0] for seed in range(24)]
    if "folder" in kinds:
        write_folder(folder / "pictures", scenes, pictures)
    if "raster" in kinds:
        write_raster(folder / "big.tif", np.concatenate([np.concatenate(scenes[:8], 1)] * 16, 0))
    if "video" in kinds:
        write_video(folder / "street.mp4", scenes, 4 * pictures)


def write_folder(folder: Path, scenes: Sequence[Image], count: int) -> None:
    """Pictures, one scene after the other, again and again."""
    folder.mkdir()
    files = [io.BytesIO() for _ in scenes]
    for scene, file in zip(scenes, files, strict=True):
        PIL.Image.fromarray(scene).save(file, "png")
    for number in range(count):
        (folder / f"{number:06d}.png").write_bytes(files[number % len(files)].getbuffer())


def write_raster(file: Path, whole: Image) -> None:
    """A GeoTIFF."""
    import rasterio

    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    grid = rasterio.transform.from_origin(500_000, 5_000_000, 0.5, 0.5)
    with rasterio.open(file, "w", height=len(whole), width=whole.shape[1], transform=grid, **profile) as out:
        out.write(whole.transpose(2, 0, 1))


def write_video(file: Path, scenes: Sequence[Image], frames: int) -> None:
    """Each scene for eight frames, again and again."""
    import av

    with av.open(str(file), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = scenes[0].shape[:2]
        for number in range(frames):
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


def undisturbed(command: list[str], out: Path) -> tuple[int, dict[int, int]]:
    """A process that does all.

    Returns:
        Its status; of a folder, the memory of the process in kB by the pictures that were done.
    """
    child = start(command, "1/1")
    memory: dict[int, int] = {}
    lines = folder_for(out / RESULTS) / "part-0-1.jsonl"
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status, memory
        with suppress(OSError):
            done = lines.read_bytes().count(b"\n")
            resident = int(Path(f"/proc/{child}/statm").read_text().split()[1])
            memory[done] = resident * os.sysconf("SC_PAGE_SIZE") // 1000
        time.sleep(0.2)


def content(out: Path) -> dict[str, bytes]:
    """The files that a run has left, by name."""
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def differing(found: dict[str, bytes], expected: dict[str, bytes]) -> bool:
    """Whether files are others than expected; says which."""
    names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    for name in names[:5]:
        kind = "missing" if name not in found else "left over" if name not in expected else "different"
        print(f"{name}: {kind}, one of {len(names)}", flush=True)
    return bool(names)


def main() -> int:
    """Run, report, and say whether all was the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--size", type=image_size, default=(96, 128), help="of pictures and frames, as HxW")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder, chance = Path(name), random.Random(args.seed)
        prepare(folder, args.kinds, args.pictures, args.size)
        for kind in args.kinds:
            begun = time.monotonic()
            status, memory = undisturbed(arguments(kind, folder, folder / kind), folder / kind)
            for least in (args.pictures // 10, max(memory, default=0)) if memory else ():
                done, resident = next(entry for entry in memory.items() if entry[0] >= least)
                print(f"{kind}: {resident / 1000:.1f} MB after {done:,} pictures", flush=True)
            longest, expected = time.monotonic() - begun, content(folder / kind)
            for processes in args.processes:
                left, rounds, same = args.kills, 0, status == 0
                out = folder / f"{kind}.{processes}"
                while left or not rounds:  # until all kills are used up
                    codes, left = disturbed(arguments(kind, folder, out), processes, left, longest / 2, chance)
                    same &= set(codes) == {0} and not differing(content(out), expected)
                    rounds += 1
                    shutil.rmtree(out)
                failed |= not same
                said = "same" if same else "DIFFERENT"
                print(f"{kind}, {processes} processes, {args.kills} kills in {rounds} runs: {said}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
