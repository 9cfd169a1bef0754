"""Cross-validation."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import torch
import yaml

import segnext
from segnext.cli import main
from segnext.errors import SegNextError
from segnext.training.folds import divide, scores
from segnext.training.segmentation import Segmentation

Train = Callable[..., int]


def test_every_picture_is_measured_on_once() -> None:
    pool = list(range(7))
    parts = [divide(pool, f"{number}/3") for number in (1, 2, 3)]
    assert [val for _, val in parts] == [[0, 1], [2, 3], [4, 5, 6]]
    assert all(sorted(train + val) == pool for train, val in parts)


@pytest.mark.parametrize("fold", ["0/5", "6/5", "1/1", "1", "a/b", "1/5/5", "-1/5", "1/8"])
def test_what_is_no_fold(fold: str) -> None:
    with pytest.raises(SegNextError, match=f"fold is {fold}"):
        divide(range(7), fold)


def test_folds_with_their_mean_and_spread(
    tiny_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    for number in (1, 2):
        assert tiny_train(fold=f"{number}/2", out=runs / str(number), iterations=1, eval_every=1) == 0
    assert tiny_train(fold="2/2", out=runs / "other", iterations=1, eval_every=1, seed=1) == 0
    printed = capsys.readouterr()
    assert "scenes: 3 train and 2 val pictures" in printed.err  # of five in all
    assert "scenes: 2 train and 3 val pictures" in printed.err
    assert "best mIoU on fold 1/2: " in printed.out
    found = scores(runs / "2")
    assert list(found) == [1, 2]
    mean, spread = 50 * sum(found.values()), 100 * abs(found[1] - found[2]) / 2**0.5
    assert f"2 of 2 folds: mIoU {mean:.2f} % ± {spread:.2f} (1: " in printed.out
    assert "1 of 2 folds: mIoU " in printed.out
    assert yaml.safe_load((runs / "1" / "config.yaml").read_text())["fold"] == "1/2"


def test_all_folds_one_after_the_other(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folds"
    evaluated = Segmentation.metrics
    seen: list[int] = []

    def interrupted(self: Segmentation, counts: torch.Tensor) -> dict[str, Any]:
        seen.append(1)
        if len(seen) == 2:
            raise SegNextError("the second fold breaks off")
        return evaluated(self, counts)

    flags = {"fold": "all/2", "iterations": 1, "eval_every": 1}
    monkeypatch.setattr(Segmentation, "metrics", interrupted)
    assert tiny_train(**flags, out=out) == 2
    first = (out / "fold-1" / "best.safetensors").read_bytes()
    assert not (out / "folds.json").exists()
    assert tiny_train(**flags, out=out) == 2
    assert f"go on with it by --resume {out}" in capsys.readouterr().err
    assert main(["train", "--resume", str(out)]) == 0
    assert len(seen) == 3
    assert (out / "fold-1" / "best.safetensors").read_bytes() == first
    found = json.loads((out / "folds.json").read_text())
    scores = [fold["miou"] for fold in found["folds"]]
    assert [fold["folder"] for fold in found["folds"]] == ["fold-1", "fold-2"]
    assert found["miou"] == {"mean": pytest.approx(fmean(scores)), "std": pytest.approx(stdev(scores))}
    assert set(found["iou"]["road"]) == {"mean", "std"}
    printed = capsys.readouterr().out
    assert f"2 folds: best mIoU {100 * fmean(scores):.2f} % ± {100 * stdev(scores):.2f} (1: " in printed
    assert printed.index("  road ") < printed.index("2 folds: ")


def test_a_cross_validation_that_cannot_begin_leaves_nothing(
    tiny_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny_train(fold="all/9", out=tmp_path / "folds") == 2
    assert "there are 5 labelled pictures; choose fewer parts" in capsys.readouterr().err
    assert not (tmp_path / "folds" / "config.yaml").exists()
    assert tiny_train(fold="all/x") == 2
    assert "it must be K/N, the K-th of N parts, as 1/5, or all/N" in capsys.readouterr().err
    with pytest.raises(SegNextError, match=r"segnext\.cross_validate"):
        segnext.train(segnext.TrainConfig("d", "o", fold="all/2"))
    with pytest.raises(SegNextError, match="a cross-validation takes all/N"):
        segnext.cross_validate(segnext.TrainConfig("d", "o", fold="1/2"))


def test_folds_need_one_data_set_to_measure_on(tiny_train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny_train(fold="1/2", val_split="null") == 2
    assert "fold is 1/2; it is for one data set, and needs a val_split" in capsys.readouterr().err
