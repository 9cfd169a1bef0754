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
ROOT = Path(__file__).parents[2]
# Commands, each with its arguments on one line, without the pictures at the end, which take longer than the training.
SEGNEXT = """
import json, sys
sys.path[:0] = ["tests", "benchmarks"]
from conftest import TINY
from segnext.cli import main
from segnext.model.config import PRESETS
from segnext.training.segmentation import Segmentation
PRESETS["tiny"] = TINY
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
    process = [sys.executable, "-c", SEGNEXT, *arguments]
    return subprocess.Popen(process, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


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


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ("tiny", "fp32"),
        pytest.param("segnext_t", "fp32", marks=pytest.mark.long),
        pytest.param("segnext_t", "bf16", marks=pytest.mark.long),
    ],
)
def test_killed_and_resumed_runs_end_with_the_same_bits(model: str, precision: str, data: Path, tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        flags = {"--data": str(data), "--out": str(out), "--model": model, "--precision": precision, **NEW_RUN}
        return [part for flag in flags.items() for part in flag]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    resume = ["--resume", str(killed)]
    kill_after(2, killed, command(killed))
    assert not (killed / "state.pt").exists()  # so that the run begins anew
    kill_after(4, killed, resume)
    (killed / f".segnext-{'0' * 16}.pt").write_bytes(b"half")  # as a kill in the middle of writing leaves it
    finish(command(whole), resume)

    steps = [(record["kind"], record["step"]) for record in records(whole)]
    assert steps == [(kind, step) for step in (2, 4, 6) for kind in ("train", "val")]
    assert records(killed) == records(whole)
    for name in ("last.safetensors", "best.safetensors"):
        require_same(load_file(killed / name), load_file(whole / name), name)
    found, expected = (torch.load(out / "state.pt", weights_only=True) for out in (killed, whole))
    require_same(found, expected, "state.pt")
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in whole.iterdir())
