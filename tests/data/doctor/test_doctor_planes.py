"""Data sets with masks of single classes, in a folder for each picture."""

from pathlib import Path

import numpy as np
import pytest
from messy_folder import Folder

from segnext.data.doctor.check import check, quick_check
from segnext.data.doctor.findings import Severity
from segnext.data.doctor.sheet import write_sheet
from segnext.data.folder import Folder as DataSet


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    made.root.mkdir()
    classes = "classes: [{name: crack, color: [255, 0, 0]}, {name: rust, color: [0, 255, 0]}]"
    (made.root / "dataset.yaml").write_text(f"name: planes\n{classes}\nmulti_label: true\n")
    for split in ("train", "val"):
        for index in range(4):
            made.save(f"images/{split}/{split}{index}.png", made.picture())
            for label, name in enumerate(("crack", "rust")):
                mask = (np.roll(made.mask(), index, axis=0) == label).astype(np.uint8) * 255
                made.save(f"masks/{split}/{split}{index}/{name}.png", mask)
    return made


def test_a_clean_folder_has_no_findings(folder: Folder) -> None:
    assert folder.found() == {}
    assert quick_check(DataSet.open(folder.root), ["train", "val"]) == []


def test_files_that_are_no_masks_of_a_class(folder: Folder) -> None:
    (folder.root / "masks/train/train0/crack.png").rename(folder.root / "masks/train/train0/cracks.png")
    folder.save("masks/val/val1/rust.png", folder.mask())
    finding = folder.found()["unreadable-masks"]
    assert finding.count == 2
    assert "cracks.png: is the mask of no class" in finding.files[0]
    assert "holds the value" in finding.files[1]
    assert [finding.severity for finding in quick_check(DataSet.open(folder.root), ["train"])] == [Severity.ERROR]


def test_partners_sizes_and_classes(folder: Folder) -> None:
    (folder.root / "images/train/train0.png").unlink()
    (folder.root / "masks/train/train1").rename(folder.root / "masks/train/other")
    folder.save("images/val/val2.png", folder.picture(40, 50))
    for index in range(4):
        (folder.root / f"masks/val/val{index}/rust.png").unlink()
    found = folder.found()
    assert found.keys() == {"images-without-mask", "masks-without-image", "sizes-differ", "missing-classes"}
    assert found["images-without-mask"].files == ("images/train/train1.png",)
    assert found["masks-without-image"].files == ("masks/train/other", "masks/train/train0")
    assert found["missing-classes"].title == "1 class of 2 never in the split 'val': rust"


def test_the_sheet_shows_them(folder: Folder, tmp_path: Path) -> None:
    (folder.root / "masks/val/val0/crack.png").write_bytes(b"")
    write_sheet(check(folder.root), tmp_path / "sheet.html")
    assert "images/val/val1.png" in (tmp_path / "sheet.html").read_text(encoding="utf-8")
