"""A storm of cold starts: does every new process end, and end when it is told to?

    python benchmarks/faults/starts.py [--engines openvino onnxruntime torch] [--ways predict pool interrupt cold]
                                       [--starts 300] [--at-a-time 4] [--limit 120] [--json F]

Each start is a new process that segments a folder of six small pictures, with filled caches but for the last way, as
all starts but the very first are: what a thread does for the first time meets the others, not the network's work.
Several run at the same time, on fewer cores, so that their threads meet in ever new orders. The ways:

    predict    `segnext predict FOLDER`
    pool       `segnext.load(streams=2)`, and at once six threads that use it
    interrupt  `segnext predict FOLDER`, to which Ctrl-C is sent at a random moment; ten seconds later it must be gone
    cold       `segnext predict FOLDER`, with caches that as many starts as run at the same time share, and find empty

A start that is not over after the limit counts as hung, and the stacks of its threads are printed. The exit code is 1
when one hung or failed.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image

from segnext.progress import progress

PICTURES = 6
WAYS = ("predict", "pool", "interrupt", "cold")
PATIENCE = 10.0  # seconds from Ctrl-C to the end
POOL = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import segnext
small = segnext.Testing(short_side=96)
segmenter = segnext.load(device="cpu", engine=sys.argv[1], streams=2, testing=small)
with ThreadPoolExecutor(6) as pool:
    results = list(pool.map(segmenter, sorted(Path(sys.argv[2]).glob("*.png"))))
sys.exit(0 if len(results) == 6 else 1)
"""


@dataclass
class Start:
    """A process on its way.

    Attributes:
        process: the process.
        errors: where its stderr goes.
        begun: when it was started, by `time.monotonic`.
        limit: when it must be over.
        stop: when Ctrl-C is to be sent to it; None for never, or where it was sent.
        codes: exit codes of a good end.
    """

    process: "subprocess.Popen[bytes]"
    errors: Path
    begun: float
    limit: float
    stop: float | None = None
    codes: tuple[int, ...] = (0,)


@dataclass
class Outcome:
    """What became of the starts of one way with one engine.

    Attributes:
        ended: how many ended as they should.
        failed: how many ended otherwise.
        hung: how many had to be killed.
        seconds: how long those took that were not killed.
    """

    ended: int = 0
    failed: int = 0
    hung: int = 0
    seconds: list[float] = field(default_factory=list)


def draw(folder: Path) -> None:
    """Six pictures of blocks of colours, of different sizes."""
    rng = np.random.default_rng(0)
    for index in range(PICTURES):
        blocks = rng.integers(0, 256, (10 + index, 15, 3), dtype=np.uint8)
        PIL.Image.fromarray(blocks.repeat(16, axis=0).repeat(16, axis=1)).save(folder / f"{index}.png")


def begin(way: str, engine: str, pictures: Path, work: Path, limit: float, stop: float, cache: Path) -> Start:
    """One more process; `stop` is the time from now to its Ctrl-C, `cache` what is empty, if the way has one."""
    if way == "pool":
        command = [sys.executable, "-c", POOL, engine, str(pictures)]
    else:
        options = ["--engine", engine, "--device", "cpu", "--out", str(work / "out"), "--short-side", "96"]
        command = [sys.executable, "-m", "segnext", "predict", str(pictures), *options]
    work.mkdir()
    errors = work / "errors"
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    if way == "cold":
        environment |= {"SEGNEXT_CACHE": str(cache), "NUMBA_CACHE_DIR": str(cache / "numba")}
    with errors.open("wb") as file:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, env=environment)
    now = time.monotonic()
    if way == "interrupt":
        return Start(process, errors, now, now + limit, now + stop, (0, 130, -signal.SIGINT))
    return Start(process, errors, now, now + limit)


def look_after(start: Start, outcome: Outcome) -> bool:
    """Whether the process is over, and noted in `outcome`; it is interrupted or killed when its time has come."""
    code, now = start.process.poll(), time.monotonic()
    if code is not None:
        outcome.seconds.append(now - start.begun)
        if code in start.codes:
            outcome.ended += 1
        else:
            outcome.failed += 1
            print(f"\nexit code {code}:\n{start.errors.read_text(errors='replace')}", file=sys.stderr)
        return True
    if start.stop is not None and now > start.stop:
        start.process.send_signal(signal.SIGINT)
        start.limit, start.stop = now + PATIENCE, None
    if now < start.limit:
        return False
    start.process.send_signal(signal.SIGABRT)  # prints all stacks
    try:
        start.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        start.process.kill()
        start.process.wait()
    outcome.hung += 1
    print(f"\nhung:\n{start.errors.read_text(errors='replace')}", file=sys.stderr)
    return True


def storm(way: str, engine: str, starts: int, at_a_time: int, limit: float, rng: random.Random) -> Outcome:
    """So many starts, so many at the same time, after one that fills the caches."""
    outcome, going, begun = Outcome(), list[Start](), 0
    with tempfile.TemporaryDirectory() as name, progress("starts") as watch:
        pictures = Path(name) / "pictures"
        pictures.mkdir()
        draw(pictures)
        first = begin("predict", engine, pictures, Path(name) / "first", limit, 0, Path())
        if first.process.wait() != 0:
            raise SystemExit(f"the first start failed: {first.errors.read_text(errors='replace')}")
        while begun < starts or going:
            while begun < starts and len(going) < at_a_time:
                work, cache = Path(name) / str(begun), Path(name) / f"cache{begun // at_a_time}"
                going.append(begin(way, engine, pictures, work, limit, rng.uniform(0, 6), cache))
                begun += 1
            going = [start for start in going if not look_after(start, outcome)]
            watch(f"{engine}, {way}", begun - len(going), starts)
            time.sleep(0.02)
    return outcome


def main() -> int:
    """Start, watch, print; write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", default=["openvino", "onnxruntime", "torch"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--starts", type=int, default=300)
    parser.add_argument("--at-a-time", type=int, default=4)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in a shell's background ignore it
    found = []
    cache = tempfile.TemporaryDirectory()
    os.environ["SEGNEXT_CACHE"] = cache.name
    for engine in args.engines:
        for way in args.ways:
            outcome = storm(way, engine, args.starts, args.at_a_time, args.limit, random.Random(args.seed))
            median, longest = (f(outcome.seconds or [0.0]) for f in (statistics.median, max))
            print(
                f"{engine:12}{way:10}{outcome.ended:5} of {args.starts} ended, {outcome.hung} hung, "
                f"{outcome.failed} failed; median {median:.1f} s, longest {longest:.1f} s",
                flush=True,
            )
            found.append({"engine": engine, "way": way, **vars(outcome)})
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(any(one["hung"] or one["failed"] for one in found))


if __name__ == "__main__":
    sys.exit(main())
