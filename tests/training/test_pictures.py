"""Pictures of training: robust against unfinished logs and any image sizes."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.training.pictures import Record, _errors, _read_log, _series, _spread, curves, examples

LABELS = Labels("toy", ("sky", "road"), ((128, 128, 128), (128, 64, 128)), 255)
TRAIN = {"kind": "train", "step": 10, "loss": 2.0, "lr": 1e-4, "seconds_per_image": 0.2}
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
    curves(write(tmp_path / "log.jsonl", *train, *val), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (960, 1560, 3)
    assert has_color(tmp_path / "curves.png", (0xD1, 0x47, 0x1F))  # the star at the best mIoU


@pytest.mark.parametrize("records", [[TRAIN], [TRAIN, {**TRAIN, "step": 20}], [TRAIN, VAL], [VAL]])
def test_curves_of_a_run_that_just_began(records: list[dict[str, object]], tmp_path: Path) -> None:
    curves(write(tmp_path / "log.jsonl", *records, tail='{"kind": "tr'), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (960, 1560, 3)


def test_curves_of_150_classes(tmp_path: Path) -> None:
    iou = {f"class {i}": i / 150 for i in range(150)}
    records = [{**VAL, "step": step, "iou": iou} for step in (10, 20)]
    curves(write(tmp_path / "log.jsonl", *records), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (960, 1560, 3)


def test_a_step_logged_again_counts_as_last_written(tmp_path: Path) -> None:
    again = {**TRAIN, "loss": 1.5}
    later = {**TRAIN, "step": 20}
    train, val = _read_log(write(tmp_path / "log.jsonl", TRAIN, later, {"kind": "note"}, again, tail='{"kind": '))
    assert _series(train, "loss") == ([10, 20], [1.5, 2.0])
    assert val == []


def test_undefined_values_are_left_out() -> None:
    records: list[Record] = [{"step": 1, "miou": None}, {"step": 2, "miou": float("nan")}, {"step": 3, "miou": 0.5}]
    assert _series(records, "miou") == ([3], [0.5])


def test_missing_or_empty_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match=r"log\.jsonl: cannot read"):
        curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    with pytest.raises(SegNextError, match="holds no train or val line yet"):
        curves(write(tmp_path / "log.jsonl", tail='{"torn'), tmp_path / "curves.png")


def test_labels_are_spread_apart() -> None:
    assert _spread([0, 1, 50], gap=5, top=100) == [0, 5, 50]
    assert _spread([97, 98, 99], gap=5, top=100) == [90, 95, 100]


def test_errors_are_red_and_ignored_pixels_dark() -> None:
    photo = np.full((1, 3, 3), 100, np.uint8)
    truth = np.array([[0, 0, 255]], np.uint8)
    prediction = np.array([[0, 1, 1]], np.uint8)
    picture = _errors((photo, truth, prediction), LABELS)
    # grey 100: pale 0.5 * 100 + 110, red 0.3 * 100 + 0.7 * (235, 20, 20), dark 0.25 * 100
    assert picture.tolist() == [[[160, 160, 160], [194, 44, 44], [25, 25, 25]]]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_examples_of_different_sizes(rows: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    items = []
    for index in range(rows):
        height, width = 20 + 13 * index, 90 - 9 * index
        photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        truth = np.zeros((height, width), np.uint8)
        truth[:, :9] = 255
        prediction = np.ones((height, width), np.uint8)
        items.append((photo, truth, prediction))
    examples(items, LABELS, tmp_path / "examples.png")
    for color in LABELS.colors:
        assert has_color(tmp_path / "examples.png", color)
    assert pixels(tmp_path / "examples.png").shape[1] == 1572


def test_examples_with_every_pixel_ignored(tmp_path: Path) -> None:
    photo = np.zeros((8, 8, 3), np.uint8)
    truth = np.full((8, 8), 255, np.uint8)
    examples([(photo, truth, np.zeros_like(truth))], LABELS, tmp_path / "examples.png")
    assert has_color(tmp_path / "examples.png", LABELS.colors[0])
