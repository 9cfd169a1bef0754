"""Folders of pictures by class, in both layouts."""

from pathlib import Path

import pytest
from drawn_classes import COLORS, draw, write_classes, write_tiny_imagenet

from segnext.errors import SegNextError
from segnext.pretraining.folder import ImageFolder


def test_classes_are_folders_at_any_depth_in_alphabetical_order(tmp_path: Path) -> None:
    write_classes(tmp_path, {"train": 2, "val": 1})
    draw(tmp_path / "train" / "green" / "more" / "a.JPG", (0, 255, 0), 0)
    (tmp_path / "train" / "green" / "notes.txt").write_text("no picture")
    (tmp_path / "train" / "green" / "._hidden.png").write_bytes(b"")
    (tmp_path / "train" / "list.txt").write_text("no class")
    (tmp_path / "train" / ".cache").mkdir()
    folder = ImageFolder.open(tmp_path)
    assert folder.classes == ("blue", "green", "red")
    assert [Path(file).relative_to(tmp_path / "train").as_posix() for file in folder.train.files] == [
        *("blue/0.png", "blue/1.png", "green/0.png", "green/1.png", "green/more/a.JPG", "red/0.png", "red/1.png")
    ]
    assert folder.train.labels.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert len(folder.val) == 3
    assert folder.val.labels.tolist() == [0, 1, 2]


def test_tiny_imagenet_is_read_in_place(tmp_path: Path) -> None:
    folder = ImageFolder.open(write_tiny_imagenet(tmp_path))
    assert folder.classes == tuple(COLORS)
    assert len(folder.train) == 6
    assert [Path(file).name for file in folder.val.files] == ["val_2.JPEG", "val_1.JPEG", "val_0.JPEG"]
    assert folder.val.labels.tolist() == [0, 1, 2]
    assert all(Path(file).is_file() for file in (*folder.train.files, *folder.val.files))


def test_val_may_lack_a_class(tmp_path: Path) -> None:
    write_classes(tmp_path, {"train": 1})
    draw(tmp_path / "val" / "red" / "0.png", COLORS["red"], 0)
    assert ImageFolder.open(tmp_path).val.labels.tolist() == [2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("no val", r"val: no such folder; pictures are expected as .*/train/CLASS/\*\* and .*/val/CLASS/\*\*"),
        ("empty class", "train/zebra: a class without pictures"),
        ("foreign class", r"val: class 'zebra' is not in .*train \(1 such classes\)"),
        ("one class", "train: 1 classes; a classifier needs at least two"),
        ("annotations", r"val_annotations.txt: line 2 is not 'PICTURE<tab>CLASS...'"),
    ],
)
def test_folders_that_cannot_be_learnt_from(tmp_path: Path, change: str, message: str) -> None:
    write_classes(tmp_path, {"train": 1} if change == "no val" else {"train": 1, "val": 1})
    if change == "empty class":
        (tmp_path / "train" / "zebra").mkdir()
    elif change == "foreign class":
        draw(tmp_path / "val" / "zebra" / "0.png", (0, 0, 0), 0)
    elif change == "one class":
        for name in ("blue", "green"):
            (tmp_path / "train" / name / "0.png").unlink()
            (tmp_path / "train" / name).rmdir()
    elif change == "annotations":
        (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG\tred\nval_1.JPEG green\n")
    with pytest.raises(SegNextError, match=message):
        ImageFolder.open(tmp_path)
