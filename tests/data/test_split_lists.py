import json
from pathlib import Path

import pytest

from segnext.data.split_lists import find_lists

PICTURES = [Path(f"images/{number:03}_image.png") for number in range(1, 6)]
TRAIN, VAL = PICTURES[:3], PICTURES[3:4]

TEXT = "images/001_image.png masks/001_mask.png\n002_image\n.\\images\\003_image.png\n"


@pytest.mark.parametrize(
    ("files"),
    [
        {"train.txt": TEXT, "val.txt": "004_image.png\n"},
        {"lists/training.lst": TEXT, "lists/valid.lst": "4\n"},
        {"split.csv": "name,split\n001_image.png,train\n002,train\n003,Training\n004,val\n"},
        {"splits.yaml": "train: [1, 2, 3]\nval: [4]\n"},
        {"split.json": json.dumps({"train": ["001", "images/002_image.png", "003"], "val": ["004_image"]})},
        {"files.json": json.dumps([{"image": f"{i}.png", "split": "val" if i == 4 else "train"} for i in range(1, 5)])},
        {"train.json": json.dumps(["001", "002", "003"]), "val.json": json.dumps(["004"])},
    ],
)
def test_lists_of_all_kinds(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    lists = {entry.split: entry for entry in find_lists(tmp_path, map(Path, files), PICTURES)}
    assert {split: list(entry.found) for split, entry in lists.items()} == {"train": TRAIN, "val": VAL}
    assert not any(entry.missing for entry in lists.values())


def test_what_is_no_list_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("train: train/images\nval: val/images\nnames: [a]\n")
    (tmp_path / "val.txt").write_text("Notes of the validation.\nNo names.\n")
    (tmp_path / "train.json").write_text('{"images": [], "annotations": []}')
    (tmp_path / "test.csv").write_text('"\n')
    (tmp_path / "train 1.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.6 0.6 0.9 0.6 0.9 0.9\n")  # YOLO's polygons
    files = ("data.yaml", "val.txt", "train.json", "test.csv", "train 1.txt")
    assert find_lists(tmp_path, map(Path, files), PICTURES) == []


def test_names_of_no_picture_are_told(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("001_image\n002_image\n9_image\n")
    (entry,) = find_lists(tmp_path, [Path("train.txt")], PICTURES)
    assert entry.missing == ("9_image",)
