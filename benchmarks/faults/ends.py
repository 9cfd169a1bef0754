"""End commands at random moments, by kills and by disks that are full: what they leave is whole.

    python benchmarks/faults/ends.py [--kills 20] [--full 20] [--seed 0] [--json F]

kills: `segnext predict`, `eval` and `data import` are killed (SIGKILL) after a random time. Every file that has its
final name must then be readable, `results.jsonl.part` a valid line for each line but its last, and the command run
again must succeed and find nothing in its way.

full: these, `segnext train`, `compare` and `export` run with a limit on the size of the files that they write
(RLIMIT_FSIZE, random), beyond which a write fails as on a full disk. The exit code must be 0, 1 or 2, what is on stderr
one sentence without a traceback, and every file with its final name whole.

Processes are forked, so that a kill hits the work and not the imports before it. The exit code is 1 when one fails.
"""

import argparse
import importlib
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
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
AGAIN = 0.2  # share of the killed commands that are run again
LOGS = ("log.jsonl", "import.jsonl")  # grow by lines; one that was cut off is dropped when they are read
ONCE = ("train", "compare", "export")  # commands that do not go on in an earlier one's folder
SHORT = ("--iterations=3", "--batch_size=2", "--crop=[64,64]", "--device=cpu", "--eval_every=3")
TRAIN = ("--model=tiny", *SHORT)


class Command:
    """A command in a process of its own, with a limit on the size of the files that it writes."""

    def __init__(self, arguments: list[str], largest: int | None = None) -> None:
        self.begun, (self.pipe, writing) = time.monotonic(), os.pipe()  # a pipe: stderr must not fall under the limit
        self.process = os.fork()
        if self.process:
            os.close(writing)
            return
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(writing, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # the parent's know where they led before
            torch.set_num_threads(1)
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            os._exit(segnext(arguments))
        except BaseException:  # nothing of the parent's may run in the child
            os.write(2, traceback.format_exc().encode())
            os._exit(99)

    def kill_after(self, seconds: float) -> None:
        """Kill it after so long, if it is still there."""
        select.select([self.pipe], [], [], seconds)  # no longer than until it ends, or says something
        time.sleep(max(0, self.begun + seconds - time.monotonic()))
        os.kill(self.process, signal.SIGKILL)  # one that has ended is there until it is waited for

    def end(self) -> tuple[int, str]:
        """Its exit code, below 0 the signal that killed it; and what it said."""
        with os.fdopen(self.pipe, errors="replace") as pipe:
            said = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1]), said


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
        unfinished = file.name.startswith(".") or file.name in LOGS
        if file.suffix in readers and file.is_file() and not unfinished:
            try:
                readers[file.suffix](file)
            except Exception as error:
                found.append(f"{file}: {error!r}"[:300])
    return found


def commands(folder: Path) -> dict[str, list[str]]:
    """What is ended, all writing below FOLDER/out."""
    weights = ["--weights", str(folder / "tiny.safetensors"), "--engine", "torch", "--device", "cpu"]
    data, out, recipe = ["--data", str(folder / "data")], folder / "out", str(folder / "compare.yaml")
    images, results = str(folder / "data/images"), ["--out", str(out / "p"), "--json", str(out / "p.json")]
    classes = ["--classes", str(folder / "data/dataset.yaml")]
    return {
        "predict": ["predict", images, *weights, *results],
        "eval": ["eval", *data, *weights, "--json", str(out / "e.json"), "--report", str(out / "e.html")],
        "data import": ["data", "import", data[1], str(out / "i"), "--from", "labels", *classes],
        "train": ["train", *data, *TRAIN, "--out", str(out / "run")],
        "compare": ["compare", recipe, *data, *SHORT, "--rounds=1", "--out", str(out / "compared")],
        "export": ["export", *weights[1:2], "--to", "torch", "--out", str(out / "exported.pt2")],
    }


def prepare(folder: Path) -> None:
    """Weights and data, and here what the commands import.

    The work is done in a process of its own, because threads that have run do not survive a fork.
    """
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        torch.set_num_threads(1)
        write_scenes(folder / "data", {"train": 6, "val": 4}, height=64, width=96)
        state = build(PRESETS["tiny"]).state_dict()
        (folder / "compare.yaml").write_text("models: [tiny]\nseeds: 1\n")
        save_weights(Weights(PRESETS["tiny"], known_labels("camvid"), Preprocess(), state), folder / "tiny.safetensors")
        for command in commands(folder).values():
            if code := segnext(command):
                raise SystemExit(code)
        (folder / "modules").write_text("\n".join(name for name in sys.modules if "__main__" not in name))
        os._exit(0)
    if os.wait()[1]:
        raise SystemExit("the commands do not succeed where nothing ends them")
    for name in (folder / "modules").read_text().splitlines():
        with suppress(Exception):  # one that a library has made itself
            importlib.import_module(name)
    shutil.rmtree(folder / "out")


def kills(folder: Path, number: int, random: random.Random) -> Counter[str]:
    """Kill, look, run again."""
    counts: Counter[str] = Counter()
    for name in ("predict", "eval", "data import"):
        arguments = commands(folder)[name]
        first = Command(arguments)
        code, said = first.end()
        whole = time.monotonic() - first.begun
        if code != 0:
            raise SystemExit(said)
        again_at = 1.0 if name == "data import" else AGAIN  # whose log must not be in its own way
        for _ in range(number // 3):
            command = Command(arguments)
            command.kill_after(random.uniform(0, whole))
            hit = command.end()[0] == -signal.SIGKILL
            problems = broken(folder / "out")
            again, said = Command(arguments).end() if random.random() < again_at else (0, "")
            bad = problems or again
            counts[f"{name} {'killed' if hit else 'ended before'}, {'BAD' if bad else 'whole'}"] += 1
            if bad:
                print(problems, said, file=sys.stderr)
    return counts


def full(folder: Path, number: int, random: random.Random) -> Counter[str]:
    """Run with a limit on the size of files."""
    counts: Counter[str] = Counter()
    for trial in range(number):
        name, arguments = random.choice(list(commands(folder).items()))
        if name in ONCE:
            last = Path(arguments[-1])
            arguments = [*arguments[:-1], str(last.with_stem(f"{last.stem}{trial}"))]
        largest = int(10 ** random.uniform(0, 6))
        code, said = Command(arguments, largest).end()
        problems = broken(folder / "out")
        refused = (
            f"segnext {name.split()[0]}: " in said.rpartition("\n")[0].rpartition("\n")[2]
        )  # the last line is the sentence
        good = code in (0, 1, 2) and "Traceback" not in said and not problems and (code == 0 or refused)
        counts[f"{name} exit {code}{'' if good else ' BAD'}"] += 1
        if not good:
            print(f"{name}, at most {largest} bytes, exit {code}: {said[-1500:]} {problems}", file=sys.stderr)
    return counts


def main() -> int:
    """Do both, print, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--full", type=int, default=20)
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
