"""`segnext ablate`: tiny networks, a few steps."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from scenes import write_scenes

from segnext.checkpoint.weights import load_weights
from segnext.cli import main
from segnext.compare import contest as module
from segnext.errors import SegNextError
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.config import TrainConfig
from segnext.training.train import train

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> list[str]:
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    write_scenes(tmp_path / "data", {"train": 2, "val": 1}, height=32, width=48)
    flags = ["--data", str(tmp_path / "data"), "--model", "tiny", "--out", str(tmp_path / "out"), "--batch_size", "2"]
    return ["ablate", *flags, "--crop", "[32, 32]", "--log_every", "1"]


def test_a_table_is_trained_broken_off_and_completed(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    command += ["--iterations", "2", "--rows", "strip-7,mlp"]
    out = tmp_path / "out"

    def fail_on_mlp(config: TrainConfig, *, resume: bool = False) -> Path:
        if config.architecture.decoder == "mlp":
            raise SegNextError("the loss is nan at step 1")
        return train(config, resume=resume).folder

    monkeypatch.setattr(module, "train", fail_on_mlp)
    assert main(command) == 1
    printed = capsys.readouterr().out
    assert "mlp: the loss is nan at step 1\n" in printed
    assert "- mlp: the loss is nan at step 1" in (out / "ablation.md").read_text()

    trained: list[str] = []

    def spy(config: TrainConfig, *, resume: bool = False) -> Path:
        trained.append(f"{Path(config.out).parent.name} {resume}")
        return train(config, resume=resume).folder

    monkeypatch.setattr(module, "train", spy)
    (out / "strip-7/seed-0/last.safetensors").unlink()  # as if it had been killed before its end
    (out / "strip-7/seed-0/state.pt").unlink()
    assert main(command) == 0
    assert trained == ["strip-7 True", "mlp False"]
    content = json.loads((out / "ablation.json").read_text())
    assert [line["row"] for line in content["groups"]["msca"]] == ["strip-7", "full"]
    assert [line["row"] for line in content["groups"]["decoder"]] == ["mlp", "full"]
    strip, full = content["groups"]["msca"]
    weights = load_weights(out / "strip-7/seed-0/last.safetensors")
    assert dataclasses.asdict(weights.config)["strips"] == (7,)
    assert strip["miou"] == pytest.approx(weights.provenance.to_dict()["metrics"]["miou"])
    assert strip["gain"] == pytest.approx(strip["miou"] - full["miou"])
    assert strip["parameters"] < full["parameters"]
    assert strip["iterations"] == 2
    assert (out / "ablation.png").stat().st_size > 10_000
    assert yaml.safe_load((out / "strip-7/seed-0/config.yaml").read_text())["architecture"]["strips"] == [7]

    settings = json.loads((out / "ablation.settings.json").read_text())
    del settings["precision"], settings["optimizer"]["clip_norm"]  # as if training had not had them yet
    (out / "ablation.settings.json").write_text(json.dumps(settings))
    assert main(command) == 0
    assert len(trained) == 2

    assert main([*command, "--optimizer.lr", "0.5"]) == 2
    assert "out: its runs have optimizer {" in capsys.readouterr().err


def test_a_budget_of_seconds_and_more_seeds(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_trial", lambda config, clock: 0.5)
    assert main([*command, "--seconds", "1", "--seeds", "2", "--rows", "no-gate"]) == 0
    [line, _] = json.loads((tmp_path / "out/ablation.json").read_text())["groups"]["msca"]
    assert line["iterations"] == 2
    assert len(line["miou_of_seeds"]) == 2
    assert json.loads((tmp_path / "out/no-gate/iterations.json").read_text()) == 2


def test_one_process_alone(command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(command) == 2
    assert "start it without torchrun" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rows", "nothing"], "no row or group 'nothing'"),
        (["--architecture.mix", "false"], "leave out --architecture"),
        (["--val_split", "null"], "give a --val_split"),
        (["--val_split", "dev"], "no such split"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--nothing", "1"], "nothing"),
    ],
)
def test_wrong_usage(command: list[str], flags: list[str], message: str, tmp_path: Path, capsys: Capture) -> None:
    assert main([*command, *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
