"""Scenes, clips and copies are told by looks, and kept together by the command that is advised."""

import shlex
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from messy_folder import Folder
from numpy.typing import NDArray
from PIL import Image

from segnext.cli import main
from segnext.data.doctor.duplicates import Copy
from segnext.data.doctor.grouping import grouping_by
from segnext.data.doctor.scenes import by_copies, joined
from segnext.progress import quiet


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    made.classes()
    return made


def moved(picture: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """The same scene, with something dark in another place."""
    result = picture.copy()
    result[10:34, (9 * step) % 40 : (9 * step) % 40 + 20] = 20 + 60 * (step % 3)
    return result


def add(folder: Folder, name: str, split: str, picture: NDArray[np.uint8]) -> None:
    folder.pair(name, split)
    folder.save(f"images/{split}/{name}.png", picture)


def split_of(folder: Folder) -> dict[str, str]:
    return {file.stem: file.parent.name for file in folder.root.glob("images/*/*.png")}


def test_scenes_in_train_and_val_are_divided_anew(folder: Folder) -> None:
    for scene in "abcdef":
        picture = folder.picture()
        for step in range(4):
            add(folder, f"{scene}_{step}", "val" if step == 3 else "train", moved(picture, step))
    finding = folder.found()["scene-leakage"]
    assert finding.title == "6 scenes or clips of 6 in both train and val: a, b, c, d, ... (6 in all)"
    (command,) = finding.commands
    assert shlex.split(command)[4:] == ["--val", "0.25", "--group-by", "scene", "--again"]
    assert main(shlex.split(command)[1:]) == 0
    splits = split_of(folder)
    assert all(len({splits[f"{scene}_{step}"] for step in range(4)}) == 1 for scene in "abcdef")
    assert "scene-leakage" not in folder.found()


def test_numbered_names_of_one_experiment_are_no_scenes(folder: Folder) -> None:
    for experiment in (1, 2, 3):
        for number in range(6):
            add(folder, f"exp{experiment}_num_{number}", "val" if number == 5 else "train", folder.picture())
    assert not {"scene-leakage", "near-leakage"} & folder.found().keys()
    assert not [command for finding in folder.found().values() for command in finding.commands]


def test_frames_of_one_clip_are_divided_in_parts(folder: Folder) -> None:
    first, last = folder.picture().astype(float), folder.picture().astype(float)
    for number in range(40):
        frame = moved((first + (last - first) * number / 39).astype(np.uint8), number)
        add(folder, f"frame{number:03}", "val" if number % 5 == 4 else "train", frame)
    (command,) = folder.found()["scene-leakage"].commands
    assert main(shlex.split(command)[1:]) == 0
    splits = split_of(folder)
    assert all(len({splits[f"frame{part * 4 + i:03}"] for i in range(4)}) == 1 for part in range(10))
    assert "scene-leakage" not in folder.found()


def test_pictures_taken_at_one_time_are_a_group(folder: Folder) -> None:
    start = datetime(2024, 5, 17, 9, 30)
    for index, minutes in enumerate((0, 0.5, 1, 30, 30.2, 90)):
        taken = start + timedelta(minutes=minutes)
        folder.pair(f"IMG_{taken:%Y%m%d_%H%M%S}_{index}" if index % 2 else f"p{index}")
        if index % 2 == 0:
            exif = Image.Exif()
            exif[306] = f"{taken:%Y:%m:%d %H:%M:%S}"
            Image.fromarray(folder.picture()).save(folder.root / f"images/train/p{index}.png", exif=exif)
    group = grouping_by("time", folder.root, quiet)
    pictures = sorted(PurePosixPath("train", file.name) for file in folder.root.glob("images/train/*"))
    assert len({group(picture) for picture in pictures}) == 3


def test_copies_of_copies_and_scenes_they_connect_are_one_group() -> None:
    pictures = [PurePosixPath(f"train/{name}") for name in ("a_1", "a_2", "b_1", "b_2", "c_1")]
    groups = by_copies(pictures, [Copy(0, 2, "near"), Copy(2, 4, "exact")])
    assert groups[pictures[0]] == groups[pictures[2]] == groups[pictures[4]] != groups[pictures[1]]
    scenes = joined(groups, lambda picture: picture.name[0])
    assert len({*scenes.values()}) == 1
