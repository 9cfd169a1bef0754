"""`segnext compare`: tiny networks, a few steps."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from scenes import write_scenes

from segnext.checkpoint.weights import load_weights
from segnext.cli import main
from segnext.compare import run as module
from segnext.errors import SegNextError
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.config import TrainConfig
from segnext.training.train import train

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)
SETTINGS: dict[str, Any] = {"batch_size": 2, "crop": [32, 32], "log_every": 1, "iterations": 2, "ema": 0.0}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        ({"models": []}, [], "give it a list 'models'"),
        ({"models": ["tiny", "tiny"]}, [], "'tiny' is taken"),
        ({"models": [{"name": "x"}]}, [], "no entry of 'models'"),
        ({"models": ["tiny"], "seeds": "many"}, [], "seeds 'many'"),
        ({"models": ["tiny"], "seconds": -1}, [], "--seconds is -1"),
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
