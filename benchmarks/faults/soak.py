"""Segment ten thousand mixed pictures with one segmenter: memory, threads and open files must not grow.

    python benchmarks/faults/soak.py [--pictures 10000] [--engines openvino torch] [--json F] [--picture F.png]

Pictures of 24 sizes, grey, colour, 16 bits, palette, with alpha and rotated by EXIF, and broken ones among them, come
in random order, as files, arrays and PIL images; results are sometimes saved, and sometimes asked for confidence. Each
engine has a process of its own. After a warm-up of a fifth, memory may grow by 5 %, threads and files not at all,
compared by the medians of the first and the last tenth of what follows. The exit code is 1 when one grows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from segnext.inference.runtime import EngineName
    from segnext.progress import Watch

FILES = 48
WARM_UP = 0.2  # of the pictures
GROWTH = 1.05
EVERY = 20  # pictures between two looks at the process


def draw(folder: Path) -> list[Path]:
    """Mixed pictures."""
    random = np.random.default_rng(0)
    files = []
    for number in range(FILES):
        height, width = (int(side) for side in random.integers(32, 320, 2))
        rgb = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        rgb = rgb.repeat(8, 0).repeat(8, 1)[:height, :width]
        picture, kind = PIL.Image.fromarray(rgb), ("png", "jpg", "tiff", "webp")[number % 4]
        exif = picture.getexif()
        if number % 8 == 1:
            exif[0x0112] = 6
        if number % 12 == 4:
            picture = PIL.Image.fromarray(rgb[..., 0].astype(np.uint16) * 257)
        elif number % 12 == 8:
            picture = picture.quantize(32)
        elif number % 12 == 0:
            picture.putalpha(200)
        file = folder / f"{number}.{kind}"
        picture.save(file, exif=exif)
        if number % 16 == 15:
            file.write_bytes(file.read_bytes()[:100])
        files.append(file)
    return files


def look() -> dict[str, float]:
    """What the process has: megabytes of memory, threads, open files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "RSS MB": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "files": len(list(Path("/proc/self/fd").iterdir())),
    }


def soak(engine: str, pictures: int, folder: Path, watch: "Watch") -> list[dict[str, float]]:
    """Segment; what the process had after every `EVERY` pictures."""
    import segnext

    files = draw(folder)
    random = np.random.default_rng(1)
    small = segnext.Testing(short_side=128)  # what would be kept is kept at any size
    segmenter = segnext.load(engine=cast("EngineName", engine), device="cpu", testing=small)
    series, begun = [], time.monotonic()
    for number in range(1, pictures + 1):
        file = files[random.integers(len(files))]
        try:
            source: Any = file
            if random.random() < 0.3:
                with PIL.Image.open(file) as picture:
                    source = picture.convert("RGB") if random.random() < 0.5 else np.asarray(picture.convert("RGB"))
            result = segmenter(source)
            if random.random() < 0.05:
                result.save(folder / "out", str(file.stem))
            if random.random() < 0.2:
                result.confidence.mean()
        except (segnext.SegNextError, OSError):
            pass  # the broken ones
        if number % EVERY == 0:
            series.append({"pictures": number, "seconds": time.monotonic() - begun, **look()})
            watch(engine, number, pictures)
    return series


def growth(series: list[dict[str, float]], name: str) -> float:
    """By which factor it has grown after the warm-up."""
    values = [point[name] for point in series[int(WARM_UP * len(series)) :]]
    tenth = max(1, len(values) // 10)
    return statistics.median(values[-tenth:]) / statistics.median(values[:tenth])


def plot(found: dict[str, list[dict[str, float]]], out: Path) -> None:
    """Memory, threads and files over the pictures."""
    from segnext.figures import drawing

    with drawing(out, (9, 6.5)) as figure:
        panels = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
        for axes, name in zip(panels, ("RSS MB", "threads", "files"), strict=True):
            for engine, series in found.items():
                axes.plot([point["pictures"] for point in series], [point[name] for point in series], label=engine)
            axes.axvspan(0, WARM_UP * max(point["pictures"] for point in series), color="0.95")
            axes.set_title(name, loc="left", fontsize=10)
            axes.set_ylim(bottom=0)
            axes.grid(color="0.92")
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].legend(frameon=False)
        panels[-1].set_xlabel("pictures; grey: warm-up")


def main() -> int:
    """Soak each engine in a process of its own; print, plot, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--engines", nargs="+", default=["openvino", "torch"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        from segnext.progress import progress

        with tempfile.TemporaryDirectory() as name, progress("pictures") as watch:
            json.dump(soak(args.worker, args.pictures, Path(name), watch), sys.stdout)
        return 0
    found, bad = {}, False
    for engine in args.engines:
        command = [sys.executable, __file__, "--worker", engine, "--pictures", str(args.pictures)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ)
        found[engine] = series = json.loads(done.stdout)
        grown = {name: growth(series, name) for name in ("RSS MB", "threads", "files")}
        bad |= grown["RSS MB"] > GROWTH or grown["threads"] > 1 or grown["files"] > 1
        last = series[-1]
        print(
            f"{engine:10}{last['pictures']:7.0f} pictures in {last['seconds']:.0f} s; at the end "
            f"{last['RSS MB']:.0f} MB, {last['threads']:.0f} threads, {last['files']:.0f} files; grown by "
            + ", ".join(f"{100 * (factor - 1):+.1f} % ({name})" for name, factor in grown.items()),
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(found) + "\n")
    if args.picture:
        plot(found, args.picture)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
