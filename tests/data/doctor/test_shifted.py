"""Masks that count labels from 1 beside those that count from 0, and the command that mends these alone."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from messy_folder import Folder

from segnext.cli import main
from segnext.data.doctor.check import check, quick_check
from segnext.data.doctor.findings import Finding, Severity
from segnext.data.folder import Folder as DataSet
from segnext.data.folder import read_mask


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data")


def follow(finding: Finding, destination: Path) -> int:
    command = finding.fix[finding.fix.index("segnext data import") :]
    return main([str(destination) if word == "DEST" else word for word in shlex.split(command)[1:]])


@pytest.mark.parametrize(("shifted", "ignore"), [((7,), 255), ((1, 3, 5, 7, 8), 255), ((2,), 3)])
def test_masks_that_count_from_one_are_mended_alone(
    folder: Folder, tmp_path: Path, shifted: tuple[int, ...], ignore: int
) -> None:
    folder.classes(3, ignore)
    right = {}
    for index in range(10):
        mask = np.roll(folder.mask(), index, axis=0)
        mask[mask == 255] = ignore
        right[index] = mask
        higher = mask + np.uint8(1)
        higher[mask == 255] = 255
        folder.pair(f"p{index}", "val" if index > 7 else "train", higher if index in shifted else mask)
    finding = folder.found()["some-labels-from-one"]
    assert (finding.severity, finding.count) == (Severity.ERROR, len(shifted))
    assert f"{10 - len(shifted)} others count from 0" in finding.title
    assert f" --offset -1 --offset-in {','.join(f'p{i}' for i in shifted)} --classes " in finding.fix
    assert follow(finding, tmp_path / "new") == 0
    data = DataSet.open(tmp_path / "new")
    for index, mask in right.items():
        split = "val" if index > 7 else "train"
        np.testing.assert_array_equal(read_mask(data.path / f"masks/{split}/p{index}.png", data.labels), mask)
    assert {finding.code for finding in check(data.path).findings} == {"palette-masks"}  # a note


def test_the_quick_look_sends_to_the_whole_one(folder: Folder) -> None:
    folder.clean()
    folder.save("masks/train/a1.png", folder.mask() % 255 + np.uint8(1))
    found = {finding.code: finding for finding in quick_check(DataSet.open(folder.root), ["train", "val"])}
    assert "segnext data check" in found["some-labels-from-one"].fix


def test_masks_that_could_be_either_are_pointed_out(folder: Folder) -> None:
    folder.clean()
    folder.save("masks/train/a1.png", folder.mask() % 255 + np.uint8(1))
    folder.save("masks/train/a2.png", np.where(folder.mask() == 1, np.uint8(1), np.uint8(2)))
    why = folder.found()["some-labels-from-one"].why
    assert "1 mask with neither 0 nor 3 may be" in why
    assert why.endswith(": masks/train/a2.png")


def test_a_second_label_to_ignore_is_no_shift(folder: Folder) -> None:
    folder.clean()
    mask = folder.mask()
    mask[mask == 2] = 3
    folder.save("masks/train/a1.png", mask)  # holds 0 as well
    assert "some-labels-from-one" not in folder.found()
    mask[mask == 0] = 1
    folder.save("masks/train/a2.png", mask)  # lacks 0, but in a1 the same label stands beside 0
    assert "some-labels-from-one" not in folder.found()


def test_a_label_beyond_where_0_is_rare_is_no_shift(folder: Folder) -> None:
    folder.classes()
    for index in range(6):
        mask = folder.mask()
        mask[mask == 0] = 0 if index == 0 else 1
        mask[4] = 3 if index == 5 else mask[4]
        folder.pair(str(index), mask=mask)
    assert "some-labels-from-one" not in folder.found()


@pytest.mark.parametrize("ready", [False, True])
def test_without_a_list_the_command_shifts_labels_from_one(folder: Folder, tmp_path: Path, ready: bool) -> None:
    for index in range(4):
        mask = np.where(np.roll(folder.mask(), index, axis=1) == 1, np.uint8(2), np.uint8(1))
        split = "train/" if ready else ""
        folder.save(f"images/{split}{index}.png", folder.picture())
        folder.save(f"masks/{split}{index}.png", mask)
    found = folder.found()
    assert "classes seem to be 1 to 2" in found["labels-without-names"].why
    assert found["labels-without-names"].fix.endswith("--from labels --offset -1")
    assert follow(found["labels-without-names"], tmp_path / "new") == 0
    data = DataSet.open(tmp_path / "new")
    assert data.labels.classes == ("class 0", "class 1")
    assert not [finding for finding in check(data.path).findings if finding.severity is Severity.ERROR]
