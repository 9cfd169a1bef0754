"""Cross-validation."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from segnext.errors import SegNextError
from segnext.training.folds import divide, scores

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


def test_folds_need_one_data_set_to_measure_on(tiny_train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny_train(fold="1/2", val_split="null") == 2
    assert "fold is 1/2; it is for one data set, and needs a val_split" in capsys.readouterr().err
