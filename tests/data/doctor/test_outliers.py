import shlex
from pathlib import Path

import numpy as np
import pytest
from messy_folder import Folder
from numpy.typing import NDArray
from PIL import Image

from segnext.cli import main
from segnext.data.doctor.check import check
from segnext.data.folder import Folder as DataSet
from segnext.data.folder import read_mask


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("outliers") / "data")


def disc(index: int) -> NDArray[np.uint8]:
    """A disc of ones that covers a tenth to a third of the mask."""
    rows, columns = np.mgrid[:48, :64]
    mask: NDArray[np.uint8] = ((rows - 24) ** 2 + (columns - 20 - index) ** 2 < (10 + index) ** 2).astype(np.uint8)
    return mask


@pytest.mark.parametrize("high", [1, 255])
@pytest.mark.parametrize("small", [0, 1])
def test_inverted_masks_of_two_classes(folder: Folder, high: int, small: int) -> None:
    folder.classes(2)
    for index in range(9):
        folder.pair(str(index), mask=(disc(index) ^ np.uint8(small ^ (index in (2, 5)))) * np.uint8(high))
    finding = folder.found()["inverted-masks"]
    assert finding.count == 2
    assert set(finding.files) == {"masks/train/2.png", "masks/train/5.png"}


@pytest.mark.parametrize("palette", [False, True])
def test_inverted_masks_of_a_finished_data_set_are_mended(folder: Folder, tmp_path: Path, palette: bool) -> None:
    folder.classes(2)
    for index in range(9):
        mask = disc(index) ^ np.uint8(index == 4)
        mask[0] = 255
        picture = Image.fromarray(mask)
        if palette:
            picture.putpalette([value for label in range(256) for value in (label, 0, 0)])
        folder.pair(str(index), mask=picture)
    fix = folder.found()["inverted-masks"].fix
    assert fix.endswith(f"--from labels --invert 4 --classes {folder.root}/dataset.yaml")
    words = shlex.split(fix[fix.index("segnext data import") :])[1:]
    assert main([str(tmp_path / "new") if word == "DEST" else word for word in words]) == 0
    data = DataSet.open(tmp_path / "new")
    assert data.labels.classes == ("grass", "road")
    for index in range(9):
        mask = read_mask(data.path / f"masks/train/{index}.png", data.labels)
        assert (mask[0] == 255).all()
        np.testing.assert_array_equal(mask[1:], disc(index)[1:])
    assert "inverted-masks" not in {finding.code for finding in check(data.path).findings}


def test_large_things_are_not_inverted(folder: Folder) -> None:
    folder.classes(2)
    rows = np.mgrid[:48, :64][0]
    for index in range(10):
        folder.pair(str(index), mask=(rows < 5 * index + 3).astype(np.uint8))  # from a few rows to nearly all
    assert "inverted-masks" not in folder.found()


def test_one_mask_for_several_pictures(folder: Folder) -> None:
    folder.classes(2)
    for index in range(8):
        folder.pair(str(index), mask=disc(3 if index < 3 else index + 1))
    folder.pair("empty", mask=np.zeros((48, 64), np.uint8))
    folder.pair("void", mask=np.zeros((48, 64), np.uint8))
    finding = folder.found()["same-masks"]
    assert finding.count == 2
    assert finding.files == (
        "masks/train/0.png = masks/train/1.png",
        "masks/train/0.png = masks/train/2.png",
    )


def test_copies_of_a_picture_may_have_one_mask(folder: Folder) -> None:
    folder.classes(2)
    picture = Image.fromarray(folder.picture())
    for index in range(3):
        folder.pair(str(index), mask=disc(2))
        folder.save(f"images/train/{index}.png", picture)
    found = folder.found()
    assert "duplicates" in found
    assert "same-masks" not in found
