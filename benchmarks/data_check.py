"""Time and memory of `segnext data check` on pairs of 512 x 512: JPEG pictures, PNG masks of eight classes.

    python benchmarks/data_check.py --pairs 1000

The pictures are drawn by a seed into a temporary folder (about 90 kB a pair) and removed at the end;
drawing is not timed.
"""

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.data.curate.init import to_yaml
from segnext.data.doctor.check import check, quick_check
from segnext.data.folder import Folder
from segnext.data.known import labels_for_count

SIDE, CLASSES, VAL = 512, 8, 0.1


def draw(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture, BGR, of ellipses and polygons in their classes' shades on a cloudy ground, with grain; its mask."""
    random = np.random.default_rng(seed)
    coarse = random.integers(40, 216, (9, 9, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for _ in range(24):
        label = int(random.integers(1, CLASSES))
        centre = random.integers(0, SIDE, 2)
        points = (centre + random.integers(-90, 90, (6, 2))).astype(np.int32)
        shade = [int(value) for value in (37 * label + random.integers(0, 60, 3)) % 256]
        cv2.fillPoly(mask, [cv2.convexHull(points)], label)
        cv2.fillPoly(picture, [cv2.convexHull(points)], shade)
    grain = random.normal(0, 7, (SIDE // 2, SIDE // 2, 1)).repeat(2, 0).repeat(2, 1)
    return np.clip(picture + grain, 0, 255).astype(np.uint8), mask


def write(folder: Path, pairs: int, seed: int) -> None:
    """The files of one pair."""
    split = "val" if seed < VAL * pairs else "train"
    picture, mask = draw(seed)
    cv2.imwrite(str(folder / "images" / split / f"{seed:06d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    cv2.imwrite(str(folder / "masks" / split / f"{seed:06d}.png"), mask)


def make(folder: Path, pairs: int) -> None:
    """A data set without a fault."""
    for part in ("images", "masks"):
        for split in ("train", "val"):
            (folder / part / split).mkdir(parents=True)
    (folder / "dataset.yaml").write_text(to_yaml(labels_for_count(CLASSES)), encoding="utf-8")
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write, folder, pairs), range(pairs), chunksize=64))


def main() -> None:
    """Draw, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, args.pairs)
        before = resource.getrusage(resource.RUSAGE_SELF)
        started = time.perf_counter()
        report = check(folder)
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        started = time.perf_counter()
        quick_check(Folder.open(folder), ["train", "val"])
        quick = time.perf_counter() - started
    print(f"findings: {', '.join(finding.code for finding in report.findings) or 'none'}")
    print(f"check: {seconds:.1f} s, {1000 * seconds / args.pairs:.1f} ms a pair ({used:.1f} s of processor time)")
    print(f"quick check before a training: {quick:.2f} s")
    print(f"peak memory: {before.ru_maxrss / 1024:.0f} MB before, {after.ru_maxrss / 1024:.0f} MB after")


if __name__ == "__main__":
    main()
