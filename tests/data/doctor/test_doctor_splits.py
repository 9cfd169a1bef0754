"""What the doctor finds between splits: copies, lists that overlap, splits to train and measure on."""

import shlex
import shutil
from pathlib import Path

import pytest
from messy_folder import Folder
from PIL import Image

from segnext.cli import main
from segnext.data.doctor.check import quick_check
from segnext.data.doctor.findings import Severity
from segnext.data.folder import Folder as DataSet


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data set ü")


def test_splits_to_train_and_measure_on(folder: Folder) -> None:
    folder.clean()
    folder.save("images/test/x.png", folder.picture())
    finding = folder.found()["split-without-masks"]
    assert finding.severity is Severity.NOTE
    assert "'test' (1 picture)" in finding.title
    shutil.rmtree(folder.root / "images/test")
    shutil.rmtree(folder.root / "masks/val")
    assert folder.found()["split-without-masks"].severity is Severity.ERROR
    shutil.rmtree(folder.root / "images/val")
    assert "--val 0.2" in folder.found()["no-val-split"].fix


def test_leakage(folder: Folder) -> None:
    folder.clean(5)
    picture = folder.picture(96, 128)
    for name in ("images/train/a0.png", "images/val/b0.png", "images/train/a1.png"):
        folder.save(name, picture)
    (folder.root / "images/val/b1.png").unlink()
    Image.fromarray(picture[:, ::-1]).resize((100, 75)).save(folder.root / "images/val/b1.jpg", quality=60)
    found = folder.found()
    assert found["leakage"].title == "1 picture of 5 of 'val' also in 'train', pixel for pixel"
    assert found["near-leakage"].title.endswith("nearly pixel for pixel (1 mirrored)")
    assert found["duplicates"].files == ("images/train/a0.png = images/train/a1.png",)


def test_copies_are_divided_anew_and_kept_together(folder: Folder) -> None:
    folder.clean(8)
    for name in ("a1", "a2"):
        shutil.copy(folder.root / "images/train/a0.png", folder.root / f"images/train/{name}.png")
    shutil.copy(folder.root / "images/train/a0.png", folder.root / "images/val/b0.png")
    (command,) = folder.found()["leakage"].commands
    words = shlex.split(command)
    assert words[:4] == ["segnext", "data", "split", str(folder.root)]
    assert words[4:] == ["--val", "0.5", "--group-by", "copies", "--again"]
    assert main(words[1:]) == 0
    copies = [file.parts[-2] for file in folder.root.glob("images/*/*") if file.stem in ("a0", "a1", "a2", "b0")]
    assert len(copies) == 4
    assert len({*copies}) == 1
    assert "leakage" not in folder.found()


def test_a_picture_that_is_everywhere(folder: Folder) -> None:
    folder.clean(6)
    picture = folder.picture()
    for name in ("train/a0", "train/a2", "train/a4", "val/b1", "val/b3"):
        folder.save(f"images/{name}.png", picture)
    found = folder.found()
    assert found["leakage"].title == "2 pictures of 6 of 'val' also in 'train', pixel for pixel"
    assert found["duplicates"].count == 3  # two more in train, one more in val


def test_a_split_inside_another(folder: Folder) -> None:
    folder.clean(5)
    for part in ("images", "masks"):
        shutil.rmtree(folder.root / part / "val")
        shutil.copytree(folder.root / part / "train", folder.root / part / "valid")
    found = folder.found()
    assert found.keys() == {"split-inside-split", "split-name"}
    assert "all 5 pictures of 'valid' also in 'train'" in found["split-inside-split"].title


def test_lists_that_share_pictures(folder: Folder) -> None:
    for index in range(6):
        folder.save(f"JPEGImages/{index}.jpg", folder.picture())
        folder.save(f"SegmentationClass/{index}.png", folder.mask())
    lists = folder.root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("0\n1\n2\n3\n9\n")
    (lists / "val.txt").write_text("JPEGImages/3.jpg SegmentationClass/3.png\n2\n")
    (lists / "trainval.txt").write_text("0\n1\n2\n3\n")
    found = folder.found()
    assert found["split-inside-split"].title == "all 2 pictures of 'val' are in train too"
    assert found["list-names-missing"].files == ("9",)
    assert found["other-layout"].fix.endswith("--from voc")


def test_the_quick_look_keeps_to_its_splits(folder: Folder) -> None:
    folder.clean()
    (folder.root / "masks/val/b0.png").unlink()
    data = DataSet.open(folder.root)
    assert quick_check(data, ["train"]) == []
    assert [finding.code for finding in quick_check(data, ["train", "val"])] == ["images-without-mask"]
