"""A network of the user's own joins a comparison, trained and measured in processes of their own."""

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import yaml
from scenes import write_scenes

from segnext.cli import main
from segnext.compare.apart import PEAK, train_apart
from segnext.model import functions
from segnext.training.config import TrainConfig
from segnext.training.stop import Stopped

MINE = """
from torch import nn

def build(num_classes, in_channels):
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, num_classes, 1))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv(functions.ALLOWED, "")
    Path("mine_for_compare.py").write_text(MINE)
    write_scenes(tmp_path / "data", {"train": 2, "val": 2}, height=32, width=48)
    return tmp_path


@pytest.mark.long
def test_a_newcomer_by_module_and_function(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"batch_size": 2, "crop": [32, 32], "iterations": 2, "device": "cpu"}
    recipe = {"models": [{"name": "mine", "model": "mine_for_compare:build"}], "seeds": 1, **settings}
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["compare", "recipe.yaml", "--data", "data", "--out", "out", "--rounds", "1"]) == 0, capsys.readouterr()
    [mine] = json.loads(Path("out/compare.json").read_text())["networks"]
    assert mine["model"] == "mine_for_compare:build"
    assert mine["costs"]["cpu"]["seconds"] > 0
    assert mine["costs"]["cpu"]["peak_rss"] > 10_000_000
    assert mine["training_peak_rss"] == json.loads(Path("out/mine/seed-0", PEAK).read_text()) > 10_000_000


@pytest.mark.long
def test_a_signal_ends_the_run_with_a_checkpoint(folder: Path) -> None:
    config = TrainConfig(
        data="data", out="run", model="mine_for_compare:build", batch_size=2, crop=(32, 32), iterations=100_000,
        val_split=None, check_data=False, device="cpu",
    )  # fmt: skip

    def interrupt() -> None:
        while not Path("run/log.jsonl").exists() or not Path("run/log.jsonl").stat().st_size:
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Stopped, match="run: ended by SIGTERM"):
        train_apart(config)
    assert Path("run/state.pt").exists()
    assert not multiprocessing.active_children()
