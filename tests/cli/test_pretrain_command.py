"""`segnext pretrain`: flags, recipes, a run from the command line."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import yaml

from segnext.cli import main
from segnext.cli.pretrain import parse
from segnext.model.config import PRESETS, ModelConfig
from segnext.pretraining.classification import Classification
from segnext.pretraining.config import PictureAugment, PretrainConfig
from segnext.training.compiling import SENTENCE
from segnext.training.config import Optimizer

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2))
RECIPES = Path(__file__).parents[2] / "recipes" / "pretrain"

Capture = pytest.CaptureFixture[str]


def test_flags_alone_give_the_published_settings() -> None:
    config, resume = parse(["--data", "d", "--model", "segnext_b", "--out", "o"])
    assert config == PretrainConfig(data="d", out="o", model="segnext_b")
    assert not resume
    assert config.augment == PictureAugment((0.08, 1.0), (3 / 4, 4 / 3), 0.5, 2, 9.0, 0.5, 0.0, 0.25, 0.8, 1.0)
    assert config.optimizer == Optimizer(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05, clip_norm=None)
    assert (config.epochs, config.batch_size * config.accumulate, config.size) == (300, 1024, 224)


def test_every_kind_of_flag() -> None:
    flags = ["--augment.scale", "[0.3, 1]", "--schedule.warmup_epochs", "0.5", "--optimizer.lr", "3e-4"]
    config, _ = parse(["--data", "d", "--out", "o", "--drop_path", "0.2", *flags])
    assert config.augment.scale == (0.3, 1.0)
    assert config.schedule.warmup_epochs == 0.5
    assert config.optimizer.lr == 3e-4
    assert config.drop_path == 0.2


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_recipes_are_complete(path: Path) -> None:
    config, _ = parse(["--config", str(path)])
    content = yaml.safe_load(path.read_text())
    assert content.keys() == {field.name for field in dataclasses.fields(PretrainConfig)}
    for part in ("augment", "optimizer", "schedule"):
        assert content[part].keys() == {field.name for field in dataclasses.fields(getattr(config, part))}
    assert config.model in PRESETS
    if path.stem.endswith(".imagenet"):
        published = PretrainConfig(data=config.data, out=config.out, model=config.model)
        sizes = {"total_batch": 1024, "drop_path": config.drop_path, "workers": 8}
        assert config == dataclasses.replace(published, **sizes)  # type: ignore[arg-type]


def test_a_run_a_resumed_one_and_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    monkeypatch.setattr(Classification, "draw", lambda self: None)
    threads = torch.get_num_threads()
    for split in ("train", "val"):
        for label, name in enumerate(("dark", "light")):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            array = np.full((32, 32, 3), 50 + 150 * label, np.uint8)
            PIL.Image.fromarray(array).save(tmp_path / "data" / split / name / "a.png")
    out = tmp_path / "run"
    command = ["pretrain", "--data", str(tmp_path / "data"), "--model", "tiny", "--out", str(out), "--size", "32"]
    command += ["--epochs", "2", "--batch_size", "2", "--accumulate", "1"]
    assert main(command) == 0
    printed, err = capsys.readouterr()
    about, *lines = (line for line in err.splitlines() if line != SENTENCE)
    assert about.startswith("data: 2 train and 2 val pictures, 2 classes; tiny on ")
    assert about.endswith(f"; 2 steps of 2 crops of 32 x 32; into {out}")
    steps = [tuple(line.split()[:2]) for line in lines]  # one more where a machine takes a minute for a step
    assert list(dict.fromkeys(steps)) == [("step", "1/2"), ("step", "2/2")]
    assert sum("top-1" in line for line in lines) == 2
    measured = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    best = max(line["top1"] for line in measured if line["kind"] == "val")
    assert printed.startswith(f"best on val: top-1 {100 * best:.2f} %, top-5 100.00 % at step ")
    assert printed.endswith(f"segnext train --model tiny --encoder_weights {out} ...\n")

    assert main(command) == 2
    assert f"{out}: already holds a run; go on with it by --resume {out}" in capsys.readouterr().err
    assert main(["pretrain", "--resume", str(out)]) == 0
    assert f"{out}: the run is complete, with 2 steps; more training is a new run, with" in capsys.readouterr().out
    assert torch.get_num_threads() == threads


def test_errors_are_one_line(tmp_path: Path, capsys: Capture) -> None:
    assert main(["pretrain", "--data", str(tmp_path / "gone"), "--out", str(tmp_path / "run")]) == 2
    assert main(["pretrain", "--data", "d", "--out", "o", "--crop", "3"]) == 2
    assert main(["pretrain", "--resume", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "gone/train: no such folder; pictures are expected as" in lines[0]
    assert "see 'segnext pretrain --help'" in lines[1]
    assert "holds no run to resume" in lines[2]
