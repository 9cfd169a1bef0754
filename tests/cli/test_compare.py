"""`segnext compare`: tiny networks, a few steps."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import yaml
from scenes import write_scenes

from segnext.checkpoint.weights import load_weights
from segnext.cli import main
from segnext.compare import contest
from segnext.compare import run as module
from segnext.errors import SegNextError
from segnext.model import functions
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.config import TrainConfig
from segnext.training.train import train

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)
SETTINGS: dict[str, Any] = {"batch_size": 2, "crop": [32, 32], "log_every": 1, "iterations": 2, "ema": 0.0}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Path:
    """Two entries; runs stay in this process, where there is the tiny preset."""
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    monkeypatch.setattr(module, "train_apart", train)
    monkeypatch.chdir(tmp_path)
    write_scenes(tmp_path / "data", {"train": 2, "val": 2}, height=32, width=48)
    models = ["tiny", {"name": "mlp", "model": "tiny", "architecture": {"decoder": "mlp"}}]
    return write(tmp_path / "recipe.yaml", models=models, seeds=2, **SETTINGS)


def write(path: Path, **content: Any) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def compare(recipe: Path, *flags: str) -> int:
    return main(["compare", str(recipe), "--data", "data", "--out", "out", "--rounds", "0", *flags])


def test_networks_are_compared_and_what_is_done_is_kept(recipe: Path, capsys: Capture) -> None:
    assert compare(recipe) == 0
    printed = capsys.readouterr().out
    assert "mlp: mIoU " in printed
    assert " is best with " in printed
    content = json.loads(Path("out/compare.json").read_text())
    tiny, mlp = content["networks"]
    assert (tiny["name"], mlp["name"], mlp["model"]) == ("tiny", "mlp", "tiny")
    last = load_weights(Path("out/mlp/seed-1/last.safetensors"))
    assert isinstance(last.config, ModelConfig)
    assert last.config.decoder == "mlp"
    assert mlp["miou_of_seeds"][1] == pytest.approx(last.provenance.miou, abs=1e-4)
    assert mlp["parameters"] != tiny["parameters"]
    assert set(mlp["iou"]) == set(last.labels.classes)
    [difference] = content["differences"]
    assert difference["miou"] == pytest.approx(abs(tiny["miou"] - mlp["miou"]))
    page = Path("out/compare.html").read_text()
    assert "data:image/png;base64," in page
    assert "batch_size: 2" in page
    assert Path("out/compare.png").stat().st_size > 10_000
    before = Path("out/tiny/seed-0/state.pt").stat().st_mtime_ns
    models = [*yaml.safe_load(recipe.read_text())["models"], {"name": "third", "model": "tiny", "drop_path": 0.0}]
    write(recipe, models=models, seeds=2, **SETTINGS)
    assert compare(recipe, "--models", "tiny,third") == 0  # a newcomer, later
    assert Path("out/tiny/seed-0/state.pt").stat().st_mtime_ns == before
    assert [line["name"] for line in json.loads(Path("out/compare.json").read_text())["networks"]] == ["tiny", "third"]
    assert compare(recipe, "--optimizer.lr", "0.5") == 2
    assert "out/tiny: its runs have optimizer {" in capsys.readouterr().err


def test_a_network_that_fails_is_told_of_and_the_others_go_on(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def fail(config: TrainConfig, *, resume: bool = False) -> Path:
        if config.architecture.decoder == "mlp":
            raise SegNextError("the loss is nan at step 1")
        return train(config, resume=resume).folder

    monkeypatch.setattr(module, "train_apart", fail)
    assert compare(recipe, "--seeds", "1") == 1
    assert "- mlp: the loss is nan at step 1" in capsys.readouterr().out
    assert "the loss is nan" in Path("out/compare.html").read_text()


MINE = """
from torch import nn

def raises(num_classes, in_channels):
    raise KeyError("no such layer")

class Late(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, image):
        return {"out": self.module(image)}["logits"]

def late(num_classes, in_channels):
    return Late(nn.Conv2d(in_channels, num_classes, 3, 4, 1))

def wrong(num_classes, in_channels):
    return nn.Conv2d(in_channels, num_classes + 1, 1)
"""


def test_networks_of_the_users_own_that_fail_leave_the_others_alone(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv(functions.ALLOWED, "")
    monkeypatch.syspath_prepend(str(recipe.parent))
    Path("mine_that_fails.py").write_text(MINE)
    own = [f"mine_that_fails:{name}" for name in ("raises", "late", "wrong", "absent")]
    write(recipe, models=[*own, "nothing", "tiny"], seeds=1, **SETTINGS)
    assert compare(recipe) == 1
    networks = {line["name"]: line for line in json.loads(Path("out/compare.json").read_text())["networks"]}
    assert networks["tiny"]["miou_of_seeds"]
    for name, message in (
        ("mine_that_fails.raises", "mine_that_fails:raises fails with KeyError: 'no such layer'"),
        ("mine_that_fails.late", "KeyError: 'logits'"),
        ("mine_that_fails.wrong", "it must give logits, (batch, 11, height, width)"),
        ("mine_that_fails.absent", "there is no such function"),
        ("nothing", "unknown model 'nothing'"),
    ):
        assert message in networks[name]["failure"]
    assert "KeyError: 'logits'" in capsys.readouterr().err


def test_val_that_has_changed_is_measured_anew(recipe: Path) -> None:
    assert compare(recipe, "--seeds", "1", "--models", "tiny") == 0
    before = json.loads(Path("out/compare.json").read_text())["networks"][0]
    for mask in Path("data/masks/val").iterdir():
        PIL.Image.fromarray(np.zeros((32, 48), np.uint8)).save(mask)
    assert compare(recipe, "--seeds", "1", "--models", "tiny") == 0
    after = json.loads(Path("out/compare.json").read_text())["networks"][0]
    assert before["iterations"] == after["iterations"]
    assert before["iou"] != after["iou"]


@pytest.mark.long
def test_trials_tell_the_steps_by_the_clock(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ticks(step: float) -> Callable[[], float]:
        times = itertools.count()
        return lambda: step * next(times)

    monkeypatch.setattr(contest, "CLOCKS", {"wall": ticks(0.25), "processor": ticks(0.5)})
    for clock, steps in (("wall", 4), ("processor", 2)):
        flags = ("--seconds", "1", "--seeds", "1", "--models", "tiny", "--clock", clock)
        assert main(["compare", str(recipe), "--data", "data", "--out", clock, "--rounds", "0", *flags]) == 0
        assert json.loads(Path(clock, "compare.json").read_text())["networks"][0]["iterations"] == steps
    flags = ("--seconds", "1", "--seeds", "1", "--models", "tiny", "--clock", "wall")
    assert main(["compare", str(recipe), "--data", "data", "--out", "processor", "--rounds", "0", *flags]) == 2


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        ({"models": []}, [], "give it a list 'models'"),
        ({"models": ["tiny", "tiny"]}, [], "'tiny' is taken"),
        ({"models": [{"name": "x"}]}, [], "no entry of 'models'"),
        ({"models": ["tiny"], "seeds": "many"}, [], "seeds 'many'"),
        ({"models": ["tiny"], "seconds": -1}, [], "--seconds is -1"),
        ({"models": ["tiny"], "clock": "sun"}, [], "--clock is sun"),
        ({"models": ["tiny"]}, ["--models", "other"], "--models names other"),
        ({"models": ["tiny"]}, ["--seconds", "1", "--iterations", "3"], "leave out --iterations"),
        ({"models": ["tiny"], "iteration": 3}, [], "iteration"),
        ({"models": ["nothing"]}, ["--iterations", "1"], "unknown model 'nothing'"),
    ],
)
def test_wrong_usage(recipe: Path, content: dict[str, Any], flags: list[str], message: str, capsys: Capture) -> None:
    code = compare(write(recipe, **content), *flags)
    written = capsys.readouterr()
    assert code == 2
    assert message in written.err + written.out
