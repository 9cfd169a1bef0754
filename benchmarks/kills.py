"""Kill trainings at random moments, and compare what they end with to the same training left alone.

    python benchmarks/kills.py [--kills 100] [--seed 0] [--iterations 30] [--json F]

A run of a tiny network is started, killed (SIGKILL) after a random time, resumed, killed again, ..., until it ends;
then the next run is. After every kill each file in the run's folder must be whole. Every run must end with the bits of
the unbroken one: weights, state and log. The exit code is 1 if one does not.

Processes are forked, so that a kill hits the training and not the imports before it.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file
from scenes import write_scenes

from segnext.cli import main as segnext
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.segmentation import Segmentation

PRESETS["tiny"] = ModelConfig(
    (8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3
)
SETTINGS = {
    "model": "tiny",
    "batch_size": 2,
    "crop": "[64,64]",
    "drop_path": 0.2,
    "device": "cpu",
    "log_every": 1,
    "eval_every": 6,
    "save_every": 2,
}


def start(work: Callable[[], int]) -> int:
    """Run `work` in a process of its own, without output; its number."""
    process = os.fork()
    if process:
        return process
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os._exit(work())
    except BaseException:  # nothing of the parent's may run in the child
        os._exit(70)


def finish(work: Callable[[], int]) -> None:
    """Run `work` in a process of its own to its end."""
    _, status = os.waitpid(start(work), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"a process ended with {os.waitstatus_to_exitcode(status)} and was not killed")


def draw(data: Path) -> int:
    """Make a small data set."""
    write_scenes(data, {"train": 5, "val": 2}, height=64, width=96)
    return 0


def train(data: Path, out: Path, iterations: int) -> int:
    """Begin the run in `out`, or go on with it."""
    torch.set_num_threads(1)
    Segmentation.draw = lambda self: None  # type: ignore[method-assign]  # pictures take longer than the training
    if (out / "config.yaml").exists():
        return segnext(["train", "--resume", str(out)])
    flags = {**SETTINGS, "data": data, "out": out, "iterations": iterations}
    return segnext(["train", *(f"--{name}={value}" for name, value in flags.items())])


def kill_after(seconds: float, work: Callable[[], int]) -> bool:
    """Whether `work` was still going on after `seconds`; then it was killed."""
    process, end = start(work), time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def require_whole(out: Path) -> int:
    """0 if every file of the run can be read; for a process of its own."""
    if (out / "config.yaml").exists():
        yaml.safe_load((out / "config.yaml").read_text())["seed"]
    for file in out.glob("[!.]*.safetensors"):
        load_file(file)
    if (out / "state.pt").exists():
        torch.load(out / "state.pt", weights_only=True)
    return 0


def content(out: Path) -> dict[str, Any]:
    """All that two equal runs have in common."""
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    for record in records:
        record.pop("seconds_per_image", None)
        record.pop("waiting", None)
    return {
        **{file: (out / file).read_bytes() for file in ("last.safetensors", "best.safetensors")},
        "state": torch.load(out / "state.pt", weights_only=True),
        "log": records,
        "files": sorted(file.name for file in out.iterdir()),
    }


def equal(one: Any, other: Any) -> bool:
    """Whether nested containers of tensors are the same, bit by bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def compare(out: Path, whole: Path) -> int:
    """0 if two runs have ended alike; for a process of its own."""
    return 0 if equal(content(out), content(whole)) else 1


def moment(out: Path) -> str:
    """Where in the run a kill has hit, by what lies in its folder."""
    if not (out / "config.yaml").exists():
        return "before the folder was made"
    half = [file.suffix for file in out.glob(".segnext-*") if file.suffix]
    if half:
        return f"while a {half[0]} was written"
    return "after a checkpoint" if (out / "state.pt").exists() else "before the first checkpoint"


def main() -> int:
    """Kill, resume, compare; print what was hit and how it ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    moments, runs, different = Counter[str](), 0, 0
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, whole = folder / "data", folder / "whole"
        finish(partial(draw, data))
        finish(partial(train, data, folder / "warm-up", 2))
        started = time.monotonic()
        finish(partial(train, data, whole, args.iterations))
        seconds = time.monotonic() - started
        while moments.total() < args.kills:
            out = folder / f"run {runs}"
            work = partial(train, data, out, args.iterations)
            while moments.total() < args.kills and kill_after(rng.uniform(0.0, seconds), work):
                moments[moment(out)] += 1
                finish(partial(require_whole, out))
            finish(work)
            same = start(partial(compare, out, whole))
            different += os.waitstatus_to_exitcode(os.waitpid(same, 0)[1]) != 0
            runs += 1
            print(f"\r{moments.total()} kills, {runs} runs ended", end="", file=sys.stderr)
    print(f"\n{moments.total()} kills of {runs} runs of {args.iterations} steps ({seconds:.1f} s when left alone):")
    for where, number in moments.most_common():
        print(f"{number:6}  {where}")
    print(f"{runs - different} of {runs} runs ended with the bits of the unbroken one")
    if args.json:
        result = {"kills": dict(moments), "runs": runs, "different": different, "seconds": seconds}
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
