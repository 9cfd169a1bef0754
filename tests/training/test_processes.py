"""Several processes train as one does: the same samples, the same losses, exact measurements, and back after a loss."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segnext.checkpoint.weights import load_weights
from segnext.data.folder import Folder
from segnext.errors import SegNextError
from segnext.evaluation.evaluate import evaluate
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.training.config import TrainConfig
from segnext.training.processes import Processes
from segnext.training.start import decide
from segnext.training.trainer import samples_of

ROOT = Path(__file__).parents[2]
TIMEOUT = 600.0  # seconds; the machine may be busy
# The second process kills itself in step 4 unless torchrun has started it anew.
WORKER = """
import os, signal, sys
sys.path[:0] = ["tests", "benchmarks"]
from conftest import TINY
from segnext.cli import main
from segnext.model.config import PRESETS
from segnext.training.segmentation import Segmentation
from segnext.training.step import Step

PRESETS["tiny"] = TINY
Segmentation.draw = lambda self: None
take = Step.__call__

def dying(self, parts, number):
    if number == 3 and (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) == ("1", "0"):
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, parts, number)

Step.__call__ = dying
sys.exit(main())
"""
SETTINGS = {
    "model": "tiny",
    "iterations": 6,
    "crop": "[64,64]",
    "drop_path": 0.3,
    "optimizer.lr": 0.003,
    "class_balance": 0.5,
    "loss.ohem": 0.5,
    "loss.lovasz": 0.5,
    "auxiliary.stages": 3,
    "auxiliary.channels": 16,
    "sampling.class_share": 0.5,
    "precision": "fp32",
    "device": "cpu",
    "log_every": 1,
    "eval_every": 3,
    "save_every": 2,
    "check_data": "false",
}


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [record for record in found if record["kind"] == kind]


def test_two_processes_give_the_losses_of_one_and_come_back_after_a_kill(
    tiny_train: Callable[..., int], street: Path, tmp_path: Path
) -> None:
    """NMF bases, drop path, dropout, class weights, rare classes, uneven labels included; BatchNorm over both."""
    (tmp_path / "worker.py").write_text(WORKER)
    settings = {**SETTINGS, "data": street, "out": tmp_path / "two", "batch_size": 2}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    engine = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=1"]
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command = [*engine, str(tmp_path / "worker.py"), "train", *flags]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    assert "process 0 of 2 lost the others" in done.stderr
    assert done.stdout.splitlines()[0] == "resuming at step 2 of 6"
    assert done.stdout.count("segment pictures with them") == 1

    assert tiny_train(**{name.replace(".", "__"): value for name, value in SETTINGS.items()}, batch_size=4) == 0
    found, expected = records(tmp_path / "two", "train"), records(tmp_path / "run", "train")
    assert [record["step"] for record in found] == [1, 2, 3, 4, 5, 6]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-3)

    weights = load_weights(tmp_path / "two" / "best.safetensors")  # measured in two parts of one picture each
    segmenter = Segmenter(weights, Runtime("torch", "cpu", "fp32"))
    folder = Folder.open(street)
    metrics = evaluate(lambda source: segmenter(source).mask, folder.pairs("val"), folder.labels).to_dict()
    assert {name: metrics[name] for name in ("miou", "iou")} == {
        name: weights.provenance.to_dict()["metrics"][name] for name in ("miou", "iou")
    }


def test_the_samples_of_a_step_are_those_of_one_process_in_their_order() -> None:
    assert samples_of(2, Processes(), 12, 1) == [range(24, 36)]
    parts = [samples_of(2, Processes(rank, 3), 2, 2) for rank in range(3)]
    assert parts[1] == [range(26, 28), range(32, 34)]
    whole = [number for part in range(2) for rank in range(3) for number in parts[rank][part]]
    assert whole == list(range(24, 36))


def test_what_torchrun_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Processes.of_torchrun() == Processes(0, 1, 0)
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert Processes.of_torchrun() == Processes(5, 8, 1)
    assert not Processes.of_torchrun().main


def test_parts_of_a_split_are_the_whole_and_even() -> None:
    parts = [list(Processes(rank, 3).part(range(7))) for rank in range(3)]
    assert parts == [[0, 3, 6], [1, 4], [2, 5]]


def test_one_process_exchanges_nothing() -> None:
    processes = Processes()
    assert processes.same("value") == "value"
    with processes.joined("cpu"):
        pass


@pytest.mark.parametrize(
    ("count", "batch_size", "accumulate"), [(1, 4, 3), (2, 3, 2), (3, 4, 1), (4, 3, 1), (6, 2, 1), (12, 1, 1)]
)
def test_a_resumed_run_keeps_its_total_batch(
    count: int, batch_size: int, accumulate: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = TrainConfig("data", "out", batch_size=4, accumulate=1, total_batch=12, device="cpu")
    found = decide(config, Processes(0, count), resume=True)
    assert (found.batch_size, found.accumulate, found.total_batch) == (batch_size, accumulate, 12)
    assert bool(capsys.readouterr().out) == (count != 3)


def test_a_total_batch_that_the_processes_cannot_share_is_refused() -> None:
    config = TrainConfig("data", "out", batch_size=4, total_batch=12, device="cpu")
    with pytest.raises(SegNextError, match="total_batch is 12, but 5 devices x batch_size 4 x accumulate 1 is 20"):
        decide(config, Processes(0, 5), resume=True)
