"""The curves of pre-training: whole runs, and ones that just began."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segnext.errors import SegNextError
from segnext.training.curves import draw_curves

TRAIN = {"kind": "train", "step": 10, "loss": 2.0, "lr": 1e-4, "seconds_per_image": 0.2}
VAL = {"kind": "val", "step": 10, "top1": 0.2, "top5": 0.5, "loss": 1.9}


def drawn(folder: Path, *records: dict[str, object]) -> np.ndarray:
    log, out = folder / "log.jsonl", folder / "curves.png"
    log.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    draw_curves(log, out)
    with PIL.Image.open(out) as picture:
        return np.asarray(picture.convert("RGB"))


def count(pixels: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((pixels == color).all(2).sum())


def test_a_whole_run_shows_train_and_val(tmp_path: Path) -> None:
    train = [{**TRAIN, "step": step, "loss": 3 / step} for step in range(1, 201)]
    without = drawn(tmp_path, *train)
    assert without.shape == (1200, 1560, 3)
    assert count(without, (0xD1, 0x47, 0x1F)) == 0
    val = [{**VAL, "step": step, "top1": step / 400, "top5": step / 200} for step in (50, 100, 200)]
    with_val = drawn(tmp_path, *train, *val)
    assert count(with_val, (0xD1, 0x47, 0x1F)) > 50  # the loss on val
    assert count(with_val, (0x1F, 0x5F, 0xA8)) > count(without, (0x1F, 0x5F, 0xA8)) + 500  # top-1


def test_a_single_step_is_a_dot(tmp_path: Path) -> None:
    assert count(drawn(tmp_path, TRAIN), (0x1F, 0x5F, 0xA8)) > 60  # of the loss, the learning rate and the legend


@pytest.mark.parametrize("records", [[TRAIN], [VAL], [TRAIN, VAL], [TRAIN, {**TRAIN, "step": 20}]])
def test_a_run_that_just_began(records: list[dict[str, object]], tmp_path: Path) -> None:
    assert drawn(tmp_path, *records).shape == (1200, 1560, 3)


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match=r"log\.jsonl: cannot read the training log"):
        draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
