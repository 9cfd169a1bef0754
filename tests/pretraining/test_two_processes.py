"""Two processes, as torchrun starts them, learn what one learns from the same pictures."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_classes import write_classes
from safetensors.torch import load_file

TIMEOUT = 300.0  # seconds; the machine may be busy
COMMAND = """
import sys
from segnext.cli import main
from segnext.model.config import PRESETS, ModelConfig
from segnext.pretraining.classification import Classification
PRESETS["tiny"] = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2))
Classification.draw = lambda self: None
sys.exit(main(sys.argv[1:]))
"""
PLAIN = ("operations", "erase", "mixup", "cutmix")  # what is drawn for a whole batch is drawn anew for each process's


def start(out: Path, data: Path, batch_size: int, **environment: str) -> "subprocess.Popen[bytes]":
    flags = ["--data", str(data), "--out", str(out), "--model", "tiny", "--size", "32", "--epochs", "1", "--ema", "0"]
    flags += ["--precision", "fp32", "--sync_bn", "true", "--drop_path", "0.2", "--total_batch", "8"]
    flags += ["--batch_size", str(batch_size), "--accumulate", "1", *(f"--augment.{name}=0" for name in PLAIN)]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "pretrain", *flags],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
    )


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.long
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", {"train": 8, "val": 3})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    one = start(tmp_path / "one", data, 8)
    two = [start(tmp_path / "two", data, 4, RANK=rank, LOCAL_RANK=rank, **together) for rank in ("0", "1")]
    printed = [process.communicate(timeout=TIMEOUT)[0].decode() for process in (one, *two)]
    assert [process.returncode for process in (one, *two)] == [0, 0, 0]
    assert printed[1].startswith("best on val: top-1 ")
    assert printed[2] == ""

    # Not all tensors: of biases before a BatchNorm the gradient is nothing but rounding, which AdamW magnifies.
    expected, found = (load_file(tmp_path / name / "last.safetensors")["head.weight"] for name in ("one", "two"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    alone, shared = records(tmp_path / "one"), records(tmp_path / "two")
    assert [(record["kind"], record["step"]) for record in shared] == [("train", 3), ("val", 3)]
    assert shared[1]["top1"] == alone[1]["top1"]
    for found_record, expected_record in zip(shared, alone, strict=True):
        assert abs(found_record["loss"] - expected_record["loss"]) < 5e-4
