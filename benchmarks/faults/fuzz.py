"""Reads thousands of damaged files: is each read, or refused with one sentence, in bounded time and memory?

    python benchmarks/faults/fuzz.py [KIND ...] [--count 10000] [--first 0] [--workers 1] [--limit 20]
                                     [--megabytes 2000]

Kinds are those of mutations.py. A case is a function of its number; `--first N --count 1` repeats one. Cases run one
after the other in a child process, which is killed, and replaced, when a case takes longer than the limit or the child
has used more memory; a child that dies, an error that is no `SegNextError`, a message of more than one line or 2,000
letters and a started program are faults too. The exit code is 1 when there was any.
"""

import argparse
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import PIL.Image
from mutations import KINDS

LONGEST_MESSAGE = 2000
Fault = tuple[int, str]  # the number of the case, and what happened


@dataclass(frozen=True)
class Plan:
    """What to try.

    Attributes:
        kind: of the files.
        first: number of the first case.
        count: of cases.
        limit: seconds for a case.
        megabytes: of memory, beyond what a new child has.
    """

    kind: str
    first: int
    count: int
    limit: float
    megabytes: int


def try_one(kind: str, number: int, folder: Path) -> str:
    """What is wrong about how the case is dealt with; "" when nothing is."""
    from segnext.errors import SegNextError

    if kind == "trial":
        _trial(number)
        return ""
    content = KINDS[kind](number, random.Random(f"{kind} {number}"))
    try:
        _read(kind, content, folder)
    except SegNextError as error:
        text = str(error)
        if "\n" in text or len(text) > LONGEST_MESSAGE:
            return f"message of {len(text)} letters: {text[:200]!r}"
    except BaseException:
        return traceback.format_exc(limit=-3)
    return ""


def _read(kind: str, content: bytes, folder: Path) -> None:
    from segnext.bands import read_values
    from segnext.data import masks
    from segnext.data.folder import Folder
    from segnext.data.formats.options import Options
    from segnext.data.formats.run import import_dataset
    from segnext.errors import SegNextError
    from segnext.imageio import read_image

    if kind == "picture":
        file = folder / "a.png"
        file.write_bytes(content)
        refused = []
        for read in (read_image, read_values, masks.read_labels, masks.read_values, masks.read_grey, masks.read_colors):
            try:
                read(file)
            except SegNextError as error:
                refused.append(error)
        if refused:
            raise refused[0]
    elif kind == "yaml":
        (folder / "dataset.yaml").write_bytes(content)
        Folder.open(folder)
    else:
        for name in "ab":
            if not (folder / f"in/{name}.png").exists():
                (folder / "in").mkdir(exist_ok=True)
                PIL.Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(folder / f"in/{name}.png")
        (folder / "in/a.json").write_bytes(content)
        shutil.rmtree(folder / "out", ignore_errors=True)
        import_dataset(kind, folder / "out", Options(folder / "in"))
        Folder.open(folder / "out")


def _trial(number: int) -> None:
    """A kind to try this script itself on: case 1 hangs, and 3 ends the process."""
    if number == 1:
        time.sleep(3600)
    if number == 3:
        os._exit(9)


def _child(plan: Plan, pipe: Connection) -> None:
    """Try cases until the pipe is closed; says what came of each, and the largest memory used so far."""
    warnings.simplefilter("ignore")
    subprocess.Popen = _no_program  # type: ignore[misc, assignment]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as name:
        try_one(plan.kind, 10**9, Path(name))  # what is loaded late
        _limit_memory(plan.megabytes)
        pipe.send((-1, "", _peak()))
        while True:
            number = pipe.recv()
            pipe.send((number, try_one(plan.kind, number, Path(name)), _peak()))


def _no_program(*args: object, **_: object) -> None:
    raise RuntimeError(f"a program was started: {args}")


def _limit_memory(megabytes: int) -> None:
    """Twice what is allowed, so that it is told by its use and not by the first large array that is never touched."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * megabytes * 1_000_000,) * 2)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def run(plan: Plan) -> list[Fault]:
    """Try all cases of a plan; the faults."""
    context = multiprocessing.get_context("spawn")
    faults: list[Fault] = []
    todo = iter(range(plan.first, plan.first + plan.count))
    number = next(todo, None)
    while number is not None:
        pipe, other = context.Pipe()
        child = context.Process(target=_child, args=(plan, other), daemon=True)
        child.start()
        other.close()
        try:
            base = pipe.recv()[2] if pipe.poll(300) else 0
            while number is not None:
                pipe.send(number)
                if not pipe.poll(plan.limit):
                    faults.append((number, f"no answer in {plan.limit:g} s"))
                    number = next(todo, None)
                    break
                _, fault, peak = pipe.recv()
                more = peak - base > plan.megabytes
                if fault or more:
                    faults.append((number, fault or f"{peak - base:,} MB"))
                number = next(todo, None)
                if more:
                    break
        except (EOFError, BrokenPipeError, ConnectionResetError):
            child.join(10)
            faults.append((number if number is not None else -1, f"the process died ({child.exitcode})"))
            number = next(todo, None)
        finally:
            child.kill()
            child.join()
            pipe.close()
    return faults


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Read damaged files.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=float, default=20)
    parser.add_argument("--megabytes", type=int, default=2000)
    args = parser.parse_args()
    bad = 0
    for kind in args.kinds or KINDS:
        begun = time.monotonic()
        share = -(-args.count // args.workers)
        last = args.first + args.count
        plans = [
            Plan(kind, first, min(share, last - first), args.limit, args.megabytes)
            for first in range(args.first, last, share)
        ]
        with ThreadPoolExecutor(args.workers) as pool:
            faults = [fault for found in pool.map(run, plans) for fault in found]
        bad += len(faults)
        print(
            f"{kind}: {args.count - len(faults):,} of {args.count:,} held, {time.monotonic() - begun:.0f} s", flush=True
        )
        for number, fault in faults[:20]:
            print(f"  case {number}: {fault}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
