"""End predict and eval at random moments, by kills and by disks that are full: what they leave is whole.

    python benchmarks/faults/ends.py [--kills 100] [--full 100] [--seed 0] [--json F]

kills: `segnext predict` and `segnext eval` are killed (SIGKILL) after a random time. Every file that has its final
name must then be readable, `results.jsonl.part` a valid line for each line but its last, and the command run again
must succeed and find nothing in its way.

full: the same commands and `segnext train` run with a limit on the size of the files that they write (RLIMIT_FSIZE,
random), beyond which a write fails as on a full disk. The exit code must be 0, 1 or 2, what is on stderr one sentence
without a traceback, and every file with its final name whole.

Processes are forked, so that a kill hits the work and not the imports before it. The exit code is 1 when one fails.
"""

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # for scenes

from scenes import write_scenes

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import main as segnext
from segnext.data.known import known_labels
from segnext.model.config import PRESETS, ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess

PRESETS["tiny"] = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=11)
TRAIN = ("--model=tiny", "--iterations=3", "--batch_size=2", "--crop=[64,64]", "--device=cpu", "--eval_every=3")


def start(command: list[str], errors: Path, largest: int | None = None) -> int:
    """The number of a process that runs a command, with a limit on what it writes."""
    process = os.fork()
    if process:
        return process
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        torch.set_num_threads(1)
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        os._exit(segnext(command))
    except BaseException:  # nothing of the parent's may run in the child
        os._exit(99)


def ended(process: int) -> int:
    """Its exit code, below 0 the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed(process: int, seconds: float) -> bool:
    """Whether it was still there after so long, and then killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    return ended(process) == -signal.SIGKILL


def broken(folder: Path) -> list[str]:
    """What of the files in a folder is not whole, those apart whose names say that they are not finished."""
    readers: dict[str, Callable[[Path], object]] = {
        ".png": lambda file: np.asarray(PIL.Image.open(file)),
        ".json": lambda file: json.loads(file.read_text(encoding="utf-8")),
        ".jsonl": lambda file: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()],
        ".part": lambda file: [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]],
        ".safetensors": load_file,
        ".pt": lambda file: torch.load(file, weights_only=True),
    }
    found = []
    for file in folder.rglob("*"):
        unfinished = file.name.startswith(".") or file.name == "log.jsonl"  # a log grows, and is mended when it is read
        if file.suffix in readers and file.is_file() and not unfinished:
            try:
                readers[file.suffix](file)
            except Exception as error:
                found.append(f"{file}: {error!r}"[:300])
    return found


def commands(folder: Path) -> dict[str, list[str]]:
    """What is ended, all writing below FOLDER/out."""
    weights = ["--weights", str(folder / "tiny.safetensors"), "--engine", "torch", "--device", "cpu"]
    data, out = ["--data", str(folder / "data")], folder / "out"
    images, results = str(folder / "data/images"), ["--out", str(out / "p"), "--json", str(out / "p.json")]
    return {
        "predict": ["predict", images, *weights, *results],
        "eval": ["eval", *data, *weights, "--json", str(out / "e.json"), "--report", str(out / "e.html")],
        "train": ["train", *data, *TRAIN, "--out", str(out / "run")],
    }


def prepare(folder: Path) -> None:
    """Weights and data; in a process of its own, because threads that have run do not survive a fork."""
    if os.fork() == 0:
        torch.set_num_threads(1)
        write_scenes(folder / "data", {"train": 6, "val": 4}, height=64, width=96)
        state = build(PRESETS["tiny"]).state_dict()
        save_weights(Weights(PRESETS["tiny"], known_labels("camvid"), Preprocess(), state), folder / "tiny.safetensors")
        os._exit(0)
    os.wait()


def kills(folder: Path, number: int, random: random.Random) -> Counter[str]:
    """Kill, look, run again."""
    counts: Counter[str] = Counter()
    for name in ("predict", "eval"):
        command = commands(folder)[name]
        begun = time.monotonic()
        if ended(start(command, folder / "errors")) != 0:
            raise SystemExit((folder / "errors").read_text())
        whole = time.monotonic() - begun
        for _ in range(number // 2):
            hit = killed(start(command, folder / "errors"), random.uniform(0, whole))
            problems = broken(folder / "out")
            again = ended(start(command, folder / "errors")) if random.random() < 0.2 else 0
            bad = problems or again
            counts[f"{name} {'killed' if hit else 'ended before'}, {'BAD' if bad else 'whole'}"] += 1
            if bad:
                print(problems, (folder / "errors").read_text(), file=sys.stderr)
    return counts


def full(folder: Path, number: int, random: random.Random) -> Counter[str]:
    """Run with a limit on the size of files."""
    counts: Counter[str] = Counter()
    for trial in range(number):
        name, command = random.choice(list(commands(folder).items()))
        if name == "train":
            command = [*command[:-1], str(folder / f"out/run{trial}")]
        largest = int(10 ** random.uniform(0, 6))
        code = ended(start(command, folder / "errors", largest))
        said, problems = (folder / "errors").read_text(), broken(folder / "out")
        good = code in (0, 1, 2) and "Traceback" not in said and not problems and (code != 2 or said.strip())
        counts[f"{name} exit {code}{'' if good else ' BAD'}"] += 1
        if not good:
            print(f"{name}, at most {largest} bytes, exit {code}: {said[-1500:]} {problems}", file=sys.stderr)
    return counts


def main() -> int:
    """Do both, print, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--full", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SEGNEXT_CACHE"] = str(folder / "cache")
        prepare(folder)
        chance = random.Random(args.seed)
        found = {"kills": kills(folder, args.kills, chance), "full": full(folder, args.full, chance)}
    for kind, counts in found.items():
        for what, number in sorted(counts.items()):
            print(f"{kind:6}{number:5}  {what}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(any("BAD" in what for counts in found.values() for what in counts))


if __name__ == "__main__":
    sys.exit(main())
