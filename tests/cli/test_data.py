import argparse
from pathlib import Path

import pytest
from PIL import Image
from scenes import write_scenes

from segnext.cli import data
from segnext.errors import SegNextError


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    return data.run(parser.parse_args(words))


def test_init_writes_the_file_and_says_what_the_folder_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(tmp_path, {"train": 3, "val": 1}, height=32, width=48)
    path = tmp_path / "dataset.yaml"
    path.unlink()
    assert run("init", str(tmp_path), "--like", "CamVid") == 0
    assert path.is_file()
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: written (camvid, 11 classes, ignore label 11)",
        "train: 3 images, 3 masks",
        "  3 sampled masks with labels of these classes only",
        "val: 1 image, 1 mask",
        "  1 sampled mask with labels of these classes only",
    ]
    assert run("init", str(tmp_path), "--like", "camvid") == 0
    assert "already says this" in capsys.readouterr().out


def test_init_names_masks_with_other_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "masks/train").mkdir(parents=True)
    Image.new("L", (4, 4), 30).save(tmp_path / "masks/train/a.png")
    assert run("init", str(tmp_path), "--like", "cityscapes") == 0
    written, split, problem = capsys.readouterr().out.splitlines()
    assert "19 classes, ignore label 255" in written
    assert split == "train: 0 images, 1 mask"
    assert problem.endswith("a.png: holds 30, outside 0 to 18 and not the ignore label 255")


def test_init_of_an_empty_folder_says_where_data_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", str(tmp_path), "--like", "voc", "--ignore", "21") == 0
    written, hint = capsys.readouterr().out.splitlines()
    assert "21 classes, ignore label 21" in written
    assert "no images/SPLIT and masks/SPLIT folders yet" in hint


def test_errors_are_for_the_caller_to_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegNextError, match="is a file"):
        run("init", str(tmp_path / "file"), "--like", "voc")
    with pytest.raises(SegNextError, match="not a known label set"):
        run("init", str(tmp_path), "--like", "mine")
    with pytest.raises(SystemExit):
        run("init", str(tmp_path))
    assert "--like" in capsys.readouterr().err
