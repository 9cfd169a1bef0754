"""Give files that were changed at random to whatever reads them: an answer or one sentence, quickly, in little memory.

    python benchmarks/faults/fuzz.py [--kinds pictures headers yaml recipes flags coco labelme] [--cases 10000]
                                     [--seed 0] [--seconds 20] [--gigabytes 2] [--keep FOLDER] [--json F]

Case N of a kind is the same at every run of a seed. A process of its own works through the cases and is started anew
behind one that ended it. Counted are, beside what was read and what was refused: `crash` (the process died), `hang`
(no answer in --seconds), `traceback` (an error that is neither SegNextError nor OSError), `memory` (the process has
grown by more than --gigabytes). --keep keeps the files of such cases. The exit code is 1 when there is one.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO

from kinds import KINDS
from mutations import mutated

from segnext.errors import SegNextError

GOOD = ("read", "refused")
SPACE = 16 << 30  # bytes of addresses that a worker may take, so that a fault does not end the machine


def work(kind: str, seed: int, first: int, cases: int, gigabytes: float) -> None:
    """The worker: a line `N` before each case, `N OUTCOME` behind it."""
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)  # for what is written to the folder at hand
        tried = KINDS[kind](folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is not an answer
        os.dup2(1, 2)
        before = _peak_after_reset()
        for number in range(first, cases):
            print(number, file=answers)
            content = case(tried.seeds, kind, seed, number, tried.text)
            with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
                outcome = _outcome(tried.read, content)
            if _peak_after_reset() - before > gigabytes * 1e9:
                outcome = "memory"
            print(number, outcome, file=answers)


def case(seeds: list[bytes], kind: str, seed: int, number: int, text: bool) -> bytes:
    """The content of a case."""
    return mutated(seeds[number % len(seeds)], random.Random(f"{kind} {seed} {number}"), text)


def _outcome(read: Callable[[bytes], object], content: bytes) -> str:
    try:
        read(content)
    except (SegNextError, OSError, SystemExit):
        return "refused"
    except MemoryError:
        return "memory"
    except BaseException:  # RecursionError and what bindings raise too
        return "traceback " + " ".join(traceback.format_exc().split())[-300:]
    return "read"


def _peak_after_reset() -> int:
    """The most memory that the process had since the last call, in bytes."""
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(peak.split()[1]) * 1024


def watch(kind: str, args: argparse.Namespace) -> tuple[Counter[str], dict[int, str]]:
    """Run all cases of a kind; how many came to what, and the bad ones."""
    counts: Counter[str] = Counter()
    bad: dict[int, str] = {}
    first = 0
    while first < args.cases:
        command = [sys.executable, str(Path(__file__).resolve()), "--worker", kind, "--first", str(first)]
        command += [f"--cases={args.cases}", f"--seed={args.seed}", f"--gigabytes={args.gigabytes}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            number, outcome = _follow(worker, worker.stdout, counts, bad, args.seconds)
        if number is None:
            break
        counts[outcome] += 1
        bad[number] = outcome
        first = number + 1
    return counts, bad


def _follow(
    worker: "subprocess.Popen[bytes]", answers: IO[bytes], counts: Counter[str], bad: dict[int, str], seconds: float
) -> tuple[int | None, str]:
    """Read the worker's answers; the case that ended it and how, or None at the end."""
    current, begun, rest = -1, time.monotonic() + 60, b""  # the worker has first to import
    while True:
        ready, _, _ = select.select([answers], [], [], max(0.0, begun + seconds - time.monotonic()))
        if not ready:
            worker.kill()
            return current, "hang"
        chunk = os.read(answers.fileno(), 1 << 16)
        if not chunk:
            if (code := worker.wait()) == 0:
                return None, ""
            if current < 0:
                raise SystemExit("the worker does not start; see above")
            return current, f"crash {code}"
        *lines, rest = (rest + chunk).split(b"\n")
        begun = time.monotonic()
        for line in lines:
            number, _, outcome = line.decode().partition(" ")
            current = int(number)
            if outcome:
                counts[outcome.split()[0]] += 1
                if outcome not in GOOD:
                    bad[current] = outcome


def main() -> int:
    """Run all kinds, print a line for each, keep and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each case")
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.seed, args.first, args.cases, args.gigabytes)
        return 0
    found = {}
    for kind in args.kinds:
        begun = time.monotonic()
        counts, bad = watch(kind, args)
        seconds = time.monotonic() - begun
        print(f"{kind:10}{sum(counts.values()):7} cases in {seconds:.0f} s: {dict(counts)}", flush=True)
        for number, outcome in list(bad.items())[:10]:
            print(f"    case {number}: {outcome}", flush=True)
        if args.keep and bad:
            args.keep.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as name:
                tried = KINDS[kind](Path(name))
            for number in bad:
                content = case(tried.seeds, kind, args.seed, number, tried.text)
                (args.keep / f"{kind}-{args.seed}-{number}").write_bytes(content)
        found[kind] = {"counts": dict(counts), "bad": bad}
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(any(one["bad"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
