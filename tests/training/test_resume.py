"""A run that is killed and resumed ends with the same bits as one that is not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from scenes import write_scenes

TIMEOUT = 300.0  # seconds; the machine may be busy
# Commands, each with its arguments on one line, without the pictures at the end, which take longer than the training.
SEGNEXT = """
import json, sys
from segnext.cli import main
from segnext.training.segmentation import Segmentation
Segmentation.draw = lambda self: None
sys.exit(max(main(json.loads(command)) for command in sys.argv[1:]))
"""
NEW_RUN = {
    "--iterations": "6",
    "--batch_size": "2",
    "--crop": "[64,64]",
    "--save_every": "3",
    "--eval_every": "2",
    "--log_every": "2",
    "--ema": "0.9",
    "--auxiliary.stages": "3",
    "--auxiliary.channels": "32",
    "--drop_path": "0.2",
    "--optimizer.lr": "0.003",
    "--schedule.warmup": "2",
}

TIMES = {"seconds_per_image", "waiting"}  # of a log, which no two runs share


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "data"
    write_scenes(folder, {"train": 5, "val": 1}, height=64, width=96)
    return folder


def start(*commands: list[str]) -> "subprocess.Popen[bytes]":
    """Run `segnext train` with each of the argument lists, one after the other, in one process."""
    arguments = [json.dumps(["train", *command]) for command in commands]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", SEGNEXT, *arguments], env=environment, stdout=subprocess.DEVNULL)


def finish(*commands: list[str]) -> None:
    assert start(*commands).wait(TIMEOUT) == 0


def kill_after(step: int, run: Path, command: list[str]) -> None:
    """Start, and kill as soon as the log has step `step`."""
    process = start(command)
    end = time.monotonic() + TIMEOUT
    while not any(f'"step": {step},' in line for line in log_lines(run)):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "the run is too slow"
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -9


def log_lines(run: Path) -> list[str]:
    try:
        return (run / "log.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []


def records(run: Path) -> list[dict[str, Any]]:
    """The log, without what no two runs have in common."""
    found = [json.loads(line) for line in log_lines(run)]
    return [{name: value for name, value in record.items() if name not in TIMES} for record in found]


def require_same(found: Any, expected: Any, where: str) -> None:
    """Compare nested containers of tensors, bit by bit."""
    assert type(found) is type(expected), where
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            require_same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, value in enumerate(expected):
            require_same(found[number], value, f"{where}.{number}")
    else:
        assert found == expected, where


def test_killed_and_resumed_runs_end_with_the_same_bits(data: Path, tmp_path: Path) -> None:
    def command(out: Path, precision: str) -> list[str]:
        flags = {"--data": str(data), "--out": str(out), "--precision": precision, **NEW_RUN}
        return [part for flag in flags.items() for part in flag]

    def resume(out: Path) -> list[str]:
        return ["--resume", str(out)]

    whole = {precision: tmp_path / f"{precision}.whole" for precision in ("fp32", "bf16")}
    killed = {precision: tmp_path / f"{precision}.killed" for precision in ("fp32", "bf16")}
    kill_after(2, killed["fp32"], command(killed["fp32"], "fp32"))
    assert not (killed["fp32"] / "state.pt").exists()  # so that the run begins anew
    kill_after(4, killed["fp32"], resume(killed["fp32"]))
    kill_after(4, killed["bf16"], command(killed["bf16"], "bf16"))
    (killed["bf16"] / f".segnext-{'0' * 16}.pt").write_bytes(b"half")  # as a kill in the middle of writing leaves it
    finish(*(command(out, precision) for precision, out in whole.items()))
    finish(*(resume(out) for out in killed.values()))

    for precision in whole:
        expected, found = whole[precision], killed[precision]
        steps = [(record["kind"], record["step"]) for record in records(expected)]
        assert steps == [(kind, step) for step in (2, 4, 6) for kind in ("train", "val")]
        assert records(found) == records(expected)
        for name in ("last.safetensors", "best.safetensors"):
            require_same(load_file(found / name), load_file(expected / name), f"{precision} {name}")
        found_state, state = (torch.load(out / "state.pt", weights_only=True) for out in (found, expected))
        require_same(found_state, state, f"{precision} state.pt")
        assert sorted(path.name for path in found.iterdir()) == sorted(path.name for path in expected.iterdir())
