"""A search of settings: what is read, tried, broken off, taken up again, and shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from segnext.cli import main
from segnext.errors import SegNextError
from segnext.training.config import TrainConfig
from segnext.training.step import Step, Taken
from segnext.training.task import OnEval
from segnext.tuning import study
from segnext.tuning.page import write
from segnext.tuning.space import Choice, Range, Space, read_space
from segnext.tuning.study import Trial, ranked

optuna = pytest.importorskip("optuna")
Train = Callable[..., int]
SPACE = """
optimizer.lr: {low: 1.0e-4, high: 1.0e-2, log: true}
batch_size: [2, 3]
augment.scale: [[0.5, 1.0], [1.0, 2.0]]
"""


def test_spaces(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(SPACE + "workers: {low: 1, high: 3}\n")
    assert read_space(file) == {
        "optimizer.lr": Range(1e-4, 1e-2, log=True),
        "batch_size": Choice((2, 3)),
        "augment.scale": Choice(((0.5, 1.0), (1.0, 2.0))),
        "workers": Range(1, 3),
    }
    for text in (
        "",
        "3",
        "[1]",
        "a: 3",
        "a: []",
        "a: {low: 1}",
        "a: {low: 2, high: 1}",
        "a: {low: 0, high: 1, log: true}",
    ):
        file.write_text(text)
        with pytest.raises(SegNextError, match=r"space\.yaml: "):
            read_space(file)


@pytest.fixture
def command(tiny_train: Train, street: Path, tmp_path: Path) -> Callable[..., int]:
    (tmp_path / "space.yaml").write_text(SPACE)
    flags = {"data": street, "out": tmp_path / "out", "model": "tiny", "iterations": 2, "crop": "32", "eval_every": 1}
    flags |= {"precision": "fp32", "device": "cpu", "check_data": "false", "batch_size": 2}

    def tune(trials: int, **changes: Any) -> int:
        given = {"space": tmp_path / "space.yaml", "trials": trials, **flags, **changes}
        return main(["tune", *(f"--{name}={value}" for name, value in given.items())])

    return tune


@pytest.mark.long
def test_a_search_that_is_interrupted_and_taken_further(
    command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, take = tmp_path / "out", Step.__call__
    assert command(1) == 0
    begun = 0

    def killed(self: Step, parts: Any, number: int) -> Taken:
        nonlocal begun
        begun += 1
        if begun == 2:
            raise KeyboardInterrupt  # after a checkpoint-less step of trial 1
        return take(self, parts, number)

    with monkeypatch.context() as patch:
        patch.setattr(Step, "__call__", killed)
        assert command(3) == 130
    settings = yaml.safe_load((out / "trial-0001" / "config.yaml").read_text())
    capsys.readouterr()
    assert command(3) == 0
    printed = capsys.readouterr().out
    assert printed.count("trial-0001 complete: mIoU ") == 1
    found = json.loads((out / "tune.json").read_text())
    assert sorted(trial["folder"] for trial in found) == ["trial-0000", "trial-0001", "trial-0003"]
    assert [trial["miou"] for trial in found] == sorted((trial["miou"] for trial in found), reverse=True)
    again = next(trial for trial in found if trial["folder"] == "trial-0001")
    assert again["settings"]["optimizer.lr"] == pytest.approx(settings["optimizer"]["lr"])
    assert again["settings"]["augment.scale"] == settings["augment"]["scale"]
    best = yaml.safe_load((out / "best.yaml").read_text())
    assert best["optimizer"]["lr"] == pytest.approx(found[0]["settings"]["optimizer.lr"])
    assert best["batch_size"] == found[0]["settings"]["batch_size"]
    assert "augment.scale" in (out / "tune.html").read_text()
    assert command(3, iterations=3) == 2
    assert "tune.yaml: its trials have other settings, or another space" in capsys.readouterr().err


class Pretended:
    """A run that trains nothing; each is worse on val than the one before."""

    runs = 0

    def __init__(self, config: TrainConfig, *, resume: bool, on_eval: OnEval) -> None:
        folder = Path(config.out)
        folder.mkdir()
        (folder / "config.yaml").write_text("")
        Pretended.runs += 1
        for step in (1, 2):
            self.best = {"miou": step / (10 * Pretended.runs)}
            on_eval(step, self.best)


def test_a_trial_that_is_worse_than_the_others_is_broken_off(
    command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pretended, "runs", 0)
    monkeypatch.setattr(study, "train", Pretended)
    assert command(5) == 0
    found = {trial["number"]: trial for trial in json.loads((tmp_path / "out" / "tune.json").read_text())}
    assert [found[number]["state"] for number in range(5)] == ["complete"] * 4 + ["pruned"]
    assert (found[4]["step"], found[4]["miou"]) == (1, pytest.approx(0.02))


def test_settings_that_cannot_be_searched(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, message in (
        ("optimizer.rate: [1, 2]", "there is no --optimizer.rate"),
        ("batch_size: [1, 0]", "batch_size is 0; it must be at least 1"),
        ("ema: {low: 0.5, high: 1.5}", "ema is 1.5; it must be at least 0 and below 1"),
    ):
        (tmp_path / "space.yaml").write_text(text)
        assert command(1) == 2
        assert message in capsys.readouterr().err
    assert command(1, val_split="null") == 2
    assert main(["tune", "--data", "a", "--out", "b"]) == 2
    assert not (tmp_path / "out").exists()


def test_trials_that_failed_stand_last_and_are_told(tmp_path: Path) -> None:
    space: Space = {"optimizer.lr": Range(1e-4, 1.0, log=True), "crop": Choice(((32, 32),))}
    trials = [
        Trial(n, state, {"optimizer.lr": 0.1, "crop": [32, 32]}, miou, step, tmp_path / f"trial-{n}", failure)
        for n, (state, miou, step, failure) in enumerate(
            (("failed", None, None, "the loss is nan <1>"), ("pruned", 0.2, 1, ""), ("complete", 0.5, 4, ""))
        )
    ]
    assert [trial.number for trial in ranked(trials)] == [2, 1, 0]
    write(ranked(trials), space, "Trials", tmp_path)
    page = (tmp_path / "tune.html").read_text()
    assert "3 trials, 1 of them pruned and 1 failed" in page
    assert "the loss is nan &lt;1&gt;" in page
    assert "50.00 %" in page
