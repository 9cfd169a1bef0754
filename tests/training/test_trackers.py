"""Callbacks, the run as an object, and the services that get its numbers."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import segnext
from segnext.cli import main
from segnext.cli.train import parse
from segnext.training import trackers
from segnext.training.config import TrainConfig
from segnext.training.step import Taken
from segnext.training.train import Run, train

Train = Callable[..., int]


@pytest.fixture
def config(tiny_train: Train, street: Path, tmp_path: Path) -> TrainConfig:
    """The settings of `tiny_train`, with the network and without pictures at the end."""
    flags = {"data": street, "model": "tiny", "iterations": 4, "batch_size": 2, "crop": "[32,32]", "eval_every": 2}
    flags |= {"precision": "fp32", "device": "cpu", "log_every": 2, "check_data": "false", "out": tmp_path / "run"}
    return parse([f"--{name}={value}" for name, value in flags.items()])[0]


def test_a_run_as_an_object(config: TrainConfig) -> None:
    steps: list[tuple[int, Taken]] = []
    measured: list[tuple[int, dict[str, Any]]] = []
    run = train(config, on_step=lambda *told: steps.append(told), on_eval=lambda *told: measured.append(told))
    assert [number for number, _ in steps] == [1, 2, 3, 4]
    assert all(taken.loss > 0 and taken.lr > 0 and taken.grad_norm > 0 for _, taken in steps)
    val = run.log[1]
    assert [(step, {"kind": "val", "step": step, **metrics}) for step, metrics in measured] == [
        (record["step"], record) for record in val
    ]
    assert run.best == max(val, key=lambda record: float(record["miou"]))
    assert run / "best.safetensors" == Path(config.out) / "best.safetensors"
    assert run.load(engine="torch").labels == segnext.load(Path(run), engine="torch").labels


def test_what_a_callback_raises_ends_the_run_which_can_go_on(config: TrainConfig) -> None:
    def enough(step: int, metrics: dict[str, Any]) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        train(config, on_eval=enough)
    assert len(train(config, resume=True).log[1]) == 2


class Noted:
    """A service that keeps what it gets, and the name that it was known by."""

    name = "7"

    def __init__(self, config: TrainConfig, known: str | None) -> None:
        self.known, self.scalars, self.images, self.closed = known, dict[tuple[str, int], float](), 0, False

    def scalar(self, name: str, step: int, value: float) -> None:
        self.scalars[name, step] = value

    def image(self, name: str, step: int, picture: Any) -> None:
        self.images += 1

    def close(self) -> None:
        self.closed = True


def test_a_tracker_gets_what_the_log_has_and_is_found_again(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Noted] = []
    monkeypatch.setitem(trackers.KINDS, "wandb", lambda *given: made.append(Noted(*given)) or made[-1])  # type: ignore[func-returns-value]
    assert tiny_train(track="wandb", iterations=2, eval_every=2) == 0
    run = Run(tmp_path / "run")
    train_lines, val_lines = run.log
    assert made[0].known is None
    assert made[0].closed
    assert made[0].images == 2
    assert made[0].scalars["train/loss", 2] == train_lines[-1]["loss"]
    assert made[0].scalars["val/miou", 2] == val_lines[-1]["miou"]
    assert main(["train", "--resume", str(run.folder)]) == 0
    assert made[1].known == "7"


def test_a_library_that_is_not_there(tiny_train: Train, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(trackers, "import_module", absent)
    assert tiny_train(track="mlflow") == 2
    assert "track names mlflow, which is not installed; run: pip install 'segnext[track]'" in capsys.readouterr().err


def test_weights_and_biases_without_a_network(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    assert tiny_train(track="wandb", iterations=1, eval_every=1) == 0
    (kept,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    name = json.loads((tmp_path / "run" / "trackers.json").read_text())["wandb"]
    end = time.monotonic() + 60.0  # its own process writes the file, after all has ended
    while any(
        key not in (kept / f"run-{name}.wandb").read_bytes() for key in (b"optimizer", b"train/loss", b"val/miou")
    ):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_mlflow_in_a_folder(tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(None)
    assert tiny_train(track="mlflow", iterations=2, eval_every=2) == 0
    name = json.loads((tmp_path / "run" / "trackers.json").read_text())["mlflow"]
    found = mlflow.MlflowClient().get_run(name)
    assert found.info.status == "FINISHED"
    assert found.data.params["optimizer.lr"] == "0.001"
    assert found.data.metrics["val/miou"] == Run(tmp_path / "run").log[1][-1]["miou"]
