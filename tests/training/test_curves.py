"""Curves of a run, also of unfinished logs."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segnext.errors import SegNextError
from segnext.training.curves import draw_curves

TRAIN = {"kind": "train", "step": 10, "loss": 2.0, "grad_norm": 1.5, "lr": 1e-4, "seconds_per_image": 0.2}
VAL = {"kind": "val", "step": 10, "miou": 0.4, "pixel_accuracy": 0.8, "iou": {"sky": 0.4, "road": None}}


def write(path: Path, *records: dict[str, object], tail: str = "") -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail, encoding="utf-8")
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def has_color(path: Path, color: tuple[int, int, int]) -> bool:
    return bool((pixels(path) == color).all(2).any())


def test_curves_of_a_whole_run(tmp_path: Path) -> None:
    train = [{**TRAIN, "step": step, "loss": 3 / step} for step in range(1, 201)]
    val = [{**VAL, "step": step, "miou": step / 400} for step in (50, 100, 200)]
    draw_curves(write(tmp_path / "log.jsonl", *train, *val), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (840, 1560, 3)
    assert has_color(tmp_path / "curves.png", (0xD1, 0x47, 0x1F))  # the star at the best mIoU


@pytest.mark.parametrize("records", [[TRAIN], [TRAIN, {**TRAIN, "step": 20}], [TRAIN, VAL], [VAL]])
def test_curves_of_a_run_that_just_began(records: list[dict[str, object]], tmp_path: Path) -> None:
    draw_curves(write(tmp_path / "log.jsonl", *records, tail='{"kind": "tr'), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (840 if VAL in records else 600, 1560, 3)  # no empty panels


def test_bars_where_there_is_one_measurement(tmp_path: Path) -> None:
    for name, iou in (("low", 0.1), ("high", 0.9)):
        val = {**VAL, "iou": {"sky": iou, "road": 0.0}}
        draw_curves(write(tmp_path / "log.jsonl", TRAIN, val), tmp_path / f"{name}.png")
    low, high = ((pixels(tmp_path / f"{name}.png")[:, 780:] == (0x1F, 0x5F, 0xA8)).all(2) for name in ("low", "high"))
    assert (low.any(1) == high.any(1)).all()  # as thick
    assert 8 < high.sum() / low.sum() < 10  # and nine times as long, but for the edges


@pytest.mark.parametrize("count", [1, 2])
def test_curves_of_150_classes(count: int, tmp_path: Path) -> None:
    iou = {f"class {i}": i / 150 for i in range(150)}
    records = [{**VAL, "step": step, "iou": iou} for step in range(10, 10 + 10 * count, 10)]
    draw_curves(write(tmp_path / "log.jsonl", *records), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (1200, 1560, 3)


def test_missing_or_empty_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match=r"log\.jsonl: cannot read"):
        draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    with pytest.raises(SegNextError, match="holds no train or val line yet"):
        draw_curves(write(tmp_path / "log.jsonl", tail='{"torn'), tmp_path / "curves.png")


def test_class_names_are_no_formulas(tmp_path: Path) -> None:
    draw_curves(write(tmp_path / "log.jsonl", {**VAL, "iou": {r"$\frac{a}$": 0.5}}), tmp_path / "curves.png")
    assert has_color(tmp_path / "curves.png", (0x1F, 0x5F, 0xA8))  # the name, in its line's colour


def test_curves_of_pre_training_show_train_and_val(tmp_path: Path) -> None:
    train = [{**TRAIN, "step": step, "loss": 3 / step} for step in range(1, 201)]
    val: list[dict[str, object]] = [
        {"kind": "val", "step": s, "top1": s / 400, "top5": s / 200, "loss": 1.9} for s in (50, 100, 200)
    ]
    alone, with_val = tmp_path / "alone.png", tmp_path / "val.png"
    draw_curves(write(tmp_path / "log.jsonl", *train), alone)
    assert not has_color(alone, (0xD1, 0x47, 0x1F))
    draw_curves(write(tmp_path / "log.jsonl", *train, *val), with_val)
    assert has_color(with_val, (0xD1, 0x47, 0x1F))  # the loss on val
    assert (pixels(with_val)[:, 780:] == (0x1F, 0x5F, 0xA8)).all(2).sum() > 500  # top-1, alone on that side


def test_a_single_step_is_a_dot(tmp_path: Path) -> None:
    draw_curves(write(tmp_path / "log.jsonl", TRAIN), tmp_path / "curves.png")
    assert (pixels(tmp_path / "curves.png") == (0x1F, 0x5F, 0xA8)).all(2).sum() > 40  # loss, norm and learning rate
