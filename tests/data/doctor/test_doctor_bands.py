"""Data sets whose bands have names are looked at band by band."""

from pathlib import Path

import numpy as np
import pytest
from messy_folder import Folder
from PIL import Image
from raster_files import write_tiff

from segnext.data.doctor.check import check, quick_check
from segnext.data.doctor.sheet import write_sheet
from segnext.data.doctor.verdict import overview
from segnext.data.folder import Folder as DataFolder
from segnext.imageio import read_image


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Four pairs in train and in val, of four bands of 16 bits."""
    folder = Folder(tmp_path / "set")
    folder.classes()
    with (folder.root / "dataset.yaml").open("a") as file:
        file.write("bands: [red, green, blue, nir]\n")
    for split in ("train", "val"):
        for number in range(4):
            save(folder, f"images/{split}/{split}{number}.tif")
            mask = folder.mask()
            mask[number, : 1 + (split == "val")] = 1 - mask[number, : 1 + (split == "val")]  # no two are the same
            folder.save(f"masks/{split}/{split}{number}.png", mask)
    return folder


def save(folder: Folder, name: str, bands: int = 4, dtype: str = "uint16") -> None:
    """A smooth picture whose further bands repeat its first."""
    picture = folder.picture()[..., [0, 1, 2, *[0] * 9][:bands]]
    write_tiff(folder.root / name, (picture * (20 if dtype == "uint16" else 1)).astype(dtype))


def test_named_bands_of_16_bits_are_no_problem(folder: Folder) -> None:
    assert folder.found() == {}
    report = check(folder.root)
    assert overview(report)[1].endswith("ignore label 255, bands red, green, blue, nir")
    assert all(record.image.digest and len(set(record.image.thumb)) > 20 for record in report.case.records)
    assert quick_check(DataFolder.open(folder.root), ["train", "val"]) == []


def test_other_numbers_of_bands(folder: Folder) -> None:
    save(folder, "images/train/train1.tif", bands=3)
    found = folder.found()
    assert found.keys() == {"band-count"}
    assert found["band-count"].files == ("images/train/train1.tif (3 bands)",)
    assert "4 in dataset.yaml: 7 of 4 bands, 1 of 3 bands" in found["band-count"].title
    assert found["band-count"].fix == "save all with these bands"
    quick = quick_check(DataFolder.open(folder.root), ["train", "val"])
    assert [finding.code for finding in quick] == ["band-count"]


def test_all_files_have_more_bands_than_names(folder: Folder) -> None:
    for file in folder.root.glob("images/*/*.tif"):
        save(folder, str(file.relative_to(folder.root)), bands=6)
    found = folder.found()
    assert found.keys() == {"band-count"}
    assert found["band-count"].fix == "name all 6 in dataset.yaml, in the files' order"


def test_8_bits_among_16(folder: Folder) -> None:
    save(folder, "images/val/val2.tif", dtype="uint8")
    found = folder.found()
    assert found.keys() == {"mixed-depth"}
    assert found["mixed-depth"].files == ("images/val/val2.tif (8 bits)",)


def test_copies_and_damage_are_found_in_rasters_too(folder: Folder) -> None:
    content = (folder.root / "images/train/train0.tif").read_bytes()
    (folder.root / "images/val/val0.tif").write_bytes(content)
    mask = (folder.root / "masks/train/train0.png").read_bytes()
    (folder.root / "masks/val/val0.png").write_bytes(mask)
    (folder.root / "images/train/train3.tif").write_bytes(content[: len(content) // 2])
    found = folder.found()
    assert found.keys() == {"leakage", "unreadable-pictures"}
    assert found["unreadable-pictures"].files[0].startswith("images/train/train3.tif (damaged, incomplete")


def test_a_raster_without_data_is_blank(folder: Folder) -> None:
    write_tiff(folder.root / "images/train/train0.tif", np.zeros((48, 64, 4), np.uint16), nodata=0)
    assert folder.found().keys() == {"blank-images"}


def test_the_sheet_shows_composites(folder: Folder, tmp_path: Path) -> None:
    write_sheet(check(folder.root), tmp_path / "sheet.png")
    assert len(np.unique(read_image(tmp_path / "sheet.png")[-68:-20, 8:72])) > 100


def test_16_bit_grey_pngs(folder: Folder) -> None:
    for file in list(folder.root.glob("images/*/*.tif")):
        Image.fromarray(folder.picture()[..., 0].astype(np.uint16) * 200).save(file.with_suffix(".png"))
        file.unlink()
    yaml = folder.root / "dataset.yaml"
    yaml.write_text(yaml.read_text().replace("bands: [red, green, blue, nir]\n", ""))
    found = folder.found()
    assert found.keys() == {"deep-images"}
    assert "'bands: [grey]'" in found["deep-images"].fix
    yaml.write_text(yaml.read_text() + "bands: [grey]\n")
    assert folder.found() == {}
