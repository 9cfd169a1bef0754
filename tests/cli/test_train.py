"""`segnext train`: what the command line makes of flags and recipes, and a whole run."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from scenes import write_scenes

from segnext.cli import main
from segnext.cli.train import parse
from segnext.errors import SegNextError
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.compiling import SENTENCE
from segnext.training.config import TrainConfig

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)
RECIPES = Path(__file__).parents[2] / "recipes"
RECIPE = """
data: somewhere
out: run
crop: [64, 96]
optimizer: {lr: 0.01, betas: [0.8, 0.99]}
augment:
  flip: 0.25
"""

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_flags_alone() -> None:
    config, resume = parse(["--data", "d", "--model", "segnext_b", "--out", "o"])
    assert config == TrainConfig(data="d", out="o", model="segnext_b")
    assert not resume


def test_every_kind_of_flag() -> None:
    flags = {
        "--data": "d",
        "--out": "o",
        "--crop": "[64, 96]",
        "--val_split": "null",
        "--drop_path": "0.2",
        "--augment.scale": "[0.25, 4]",
        "--optimizer.clip_norm": "null",
        "--optimizer.lr": "3e-4",
        "--schedule.warmup": "7",
        "--precision": "bf16",
    }
    config, _ = parse([part for flag in flags.items() for part in flag])
    assert config.crop == (64, 96)
    assert config.val_split is None
    assert config.drop_path == 0.2
    assert config.augment.scale == (0.25, 4.0)
    assert config.optimizer.clip_norm is None
    assert config.optimizer.lr == 3e-4
    assert config.schedule.warmup == 7
    assert config.precision == "bf16"


def test_flags_override_a_recipe(recipe: Path) -> None:
    config, _ = parse(["--config", str(recipe), "--optimizer.lr", "0.5", "--out", "other", "--augment.hue", "3"])
    assert (config.data, config.out, config.crop) == ("somewhere", "other", (64, 96))
    assert (config.optimizer.lr, config.optimizer.betas) == (0.5, (0.8, 0.99))
    assert (config.augment.flip, config.augment.hue) == (0.25, 3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("epochs: 3", "epochs"),
        ("augment: {rotate: 3}", "rotate"),
        ("iterations: many", "iterations"),
        ("crop: [1, 2, 3]", "crop"),
        ("precision: int8", "precision"),
        ("batch_size: 0", "batch_size is 0; it must be at least 1"),
        ("optimizer: {lr: -1}", "optimizer.lr is -1.0; it must be a number from 0 on"),
        ("optimizer: {betas: [0.9, 1]}", "optimizer.betas is (0.9, 1.0); it must be two numbers from 0 on and below 1"),
        ("optimizer: {clip_norm: 0}", "optimizer.clip_norm is 0.0; it must be above 0, or null"),
        ("schedule: {power: -1}", "schedule.power is -1.0; it must be a number from 0 on"),
        ("augment: {scale: [2, 0.5]}", "augment.scale is (2.0, 0.5); it must be two numbers above 0, in order"),
        ("augment: {contrast: [-1, 1]}", "augment.contrast is (-1.0, 1.0); it must be two numbers from 0 on, in order"),
        ("augment: {hue: -4}", "augment.hue is -4; it must be from 0 to 90 steps"),
        ("augment: {flip: 3}", "augment.flip is 3.0; it must be a probability"),
        ("drop_path: 1", "drop_path is 1.0; it must be at least 0 and below 1"),
        ("class_balance: 1000", "class_balance is 1000.0; it must be from 0 to 2"),
        ("seed: -1", "seed is -1; it must be from 0 to"),
        ("short_side: 0", "short_side is 0; it must be at least 32 pixels"),
        ("bands: []", "bands is empty"),
        ("crop: [", ""),
    ],
)
def test_wrong_recipes_are_one_line(recipe: Path, line: str, message: str, capsys: Capture) -> None:
    recipe.write_text(f"data: d\nout: o\n{line}\n")
    assert main(["train", "--config", str(recipe)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("segnext train: ")
    assert err.count("\n") == 1
    assert message in err


def test_what_a_run_saves_is_a_recipe(recipe: Path, tmp_path: Path) -> None:
    config, _ = parse(["--config", str(recipe)])
    run = tmp_path / "moved"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump({**yaml.safe_load(RECIPE), "seed": 5}))
    assert parse(["--resume", str(run)]) == (dataclasses.replace(config, seed=5, out=str(run)), True)
    assert parse([f"--resume={run}"])[1]


def test_resuming_takes_no_other_flags(tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match="no other flags but --data; leave out --seed 3"):
        parse(["--resume", str(tmp_path), "--seed", "3"])
    with pytest.raises(SegNextError, match=f"{tmp_path}: holds no run to resume"):
        parse(["--resume", str(tmp_path)])


@pytest.mark.parametrize("path", sorted(RECIPES.glob("segnext_*.yaml")), ids=lambda path: path.stem)
def test_the_recipes_are_complete(path: Path) -> None:
    config, _ = parse(["--config", str(path)])
    content = yaml.safe_load(path.read_text())
    assert content.keys() == {field.name for field in dataclasses.fields(TrainConfig)}
    for part in ("augment", "sampling", "optimizer", "schedule", "auxiliary", "loss", "testing"):
        assert content[part].keys() == {field.name for field in dataclasses.fields(getattr(config, part))}
    assert config.model in PRESETS


def test_missing_data_is_one_line(tmp_path: Path, capsys: Capture) -> None:
    assert main(["train", "--data", str(tmp_path / "gone"), "--out", str(tmp_path / "run")]) == 2
    assert "gone: no such data set folder" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_and_a_second_one_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    threads = torch.get_num_threads()
    write_scenes(tmp_path / "data", {"train": 2, "val": 1}, height=32, width=48)
    out = tmp_path / "run"
    command = ["train", "--data", str(tmp_path / "data"), "--model", "tiny", "--out", str(out)]
    command += ["--iterations", "2", "--batch_size", "2"]
    assert main(command) == 0
    printed, err = capsys.readouterr()
    about, *steps, last = (line for line in err.splitlines() if line != SENTENCE)
    line = steps[-1]  # on a busy machine there are lines of what is going on before it
    assert about.startswith("scenes: 2 train and 1 val pictures, 11 classes; tiny on ")
    assert line.startswith("step 2/2  ")
    assert last == "measuring val with the best weights, 1 picture, for report.html"
    (measured,) = re.findall(r"  mIoU (\d+\.\d\d %) \(best ", line)
    assert printed.startswith(f"best mIoU on val: {measured} at step 2")
    assert printed.endswith(f"segnext predict PATH --weights {out}\n")
    assert yaml.safe_load((out / "config.yaml").read_text())["crop"] == [32, 32]

    assert main(command) == 2
    assert f"{out}: already holds a run; go on with it by --resume {out}" in capsys.readouterr().err
    assert main(["train", "--resume", str(out)]) == 0
    printed, err = capsys.readouterr()
    again = f"segnext train --from {out} --out ANOTHER ..."
    complete = f"{out}: the run is complete, with 2 steps; more training is a new run, from its weights: {again}"
    assert printed.splitlines()[0] == complete
    assert f"weights, log and pictures: {out}\n" in printed
    assert err == ""
    assert torch.get_num_threads() == threads


def test_without_validation_it_is_said_what_is_missing(
    tiny_train: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tiny_train(iterations=1, val_split="null", out="two words") == 0
    printed, err = capsys.readouterr()
    assert "3 train pictures, no validation and so no best weights or report, 11 classes" in err
    assert printed.splitlines() == [
        "nothing was measured, as there is no validation: the weights are those of the last step",
        "weights, log and pictures: two words",
        "segment pictures with them: segnext predict PATH --weights 'two words'",
    ]
