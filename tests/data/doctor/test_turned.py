"""Masks of another size than their pictures, or drawn on pictures before EXIF turned them."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from messy_folder import Folder
from PIL import Image

from segnext.cli import main
from segnext.data.doctor.findings import Severity
from segnext.data.folder import Folder as DataSet
from segnext.data.folder import read_mask


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data")


def scene(folder: Folder, height: int, width: int) -> tuple[Image.Image, Image.Image]:
    """A bright ellipse on a dark ground, off the middle, and its mask."""
    rows, columns = np.mgrid[:height, :width]
    at = folder.generator.uniform(0.2, 0.4, 2)
    inside = ((rows / height - at[0]) ** 2 + (columns / width - at[1]) ** 2) < 0.03
    picture = folder.picture(height, width) // 4 + (inside * 150).astype(np.uint8)[..., None]
    return Image.fromarray(picture), Image.fromarray(inside.astype(np.uint8))


def save_turned(folder: Folder, name: str, orientation: int, mask_on: str) -> None:
    """A picture that EXIF turns by half a turn (3) or mirrors (2), its mask drawn on it as seen or as stored."""
    seen, mask = scene(folder, 48, 64)
    undo = Image.Transpose.ROTATE_180 if orientation == 3 else Image.Transpose.FLIP_LEFT_RIGHT
    exif = Image.Exif()
    exif[0x0112] = orientation
    (folder.root / "images").mkdir(parents=True, exist_ok=True)
    seen.transpose(undo).save(folder.root / f"images/{name}.jpg", exif=exif, quality=95)
    folder.save(f"masks/{name}.png", mask.transpose(undo) if mask_on == "stored" else mask)


@pytest.mark.parametrize("mask_on", ["stored", "upright"])
def test_what_masks_were_drawn_on_is_measured(folder: Folder, tmp_path: Path, mask_on: str) -> None:
    for index in range(6):
        save_turned(folder, f"a{index}", 2 + index % 2, mask_on)
    finding = folder.found()["exif-unclear"]
    way = "seen" if mask_on == "upright" else "stored"
    assert f"measured on 6, the masks' borders meet the pictures' edges better as {way} on 6" in finding.why
    (command,) = finding.commands
    assert command.endswith(f"--exif {mask_on}")
    assert main([str(tmp_path / "new") if word == "DEST" else word for word in shlex.split(command)[1:]]) == 0
    data = DataSet.open(tmp_path / "new")
    for pair in data.pairs("train"):
        assert np.asarray(pair.read_image())[read_mask(pair.mask, data.labels) == 1].mean() > 140


def test_masks_that_tell_nothing_are_left_to_the_eye(folder: Folder) -> None:
    save_turned(folder, "a", 3, "stored")
    folder.save("masks/a.png", np.zeros((48, 64), np.uint8))
    finding = folder.found()["exif-unclear"]
    assert finding.severity is Severity.WARNING
    assert [command.rpartition(" ")[2] for command in finding.commands] == ["upright", "stored"]


@pytest.mark.parametrize(("picture", "mask", "side"), [(2, 1, "mask"), (1, 3, "picture")])
def test_resized_masks_are_resized_back(folder: Folder, tmp_path: Path, picture: int, mask: int, side: str) -> None:
    for index in range(4):
        image, labels = scene(folder, 60 + 4 * index, 80)
        folder.save(f"images/{index}.png", image.resize((picture * image.width, picture * image.height)))
        sizes = (mask * labels.width, mask * labels.height)
        folder.save(f"masks/{index}.png", labels.resize(sizes, Image.Resampling.NEAREST))
    folder.save("images/odd.png", folder.picture(50, 50))
    folder.save("masks/odd.png", folder.mask(30, 50) % 2)
    finding = folder.found()["sizes-differ"]
    assert "4 resized, 1 of another shape" in finding.title
    assert f"so the {side}s were probably resized" in finding.why
    (command,) = finding.commands
    assert main([str(tmp_path / "new") if word == "DEST" else word for word in shlex.split(command)[1:]]) == 1
    data = DataSet.open(tmp_path / "new")
    assert len(data.pairs("train")) == 4  # that of another shape is named and left out
    for pair in data.pairs("train"):
        shown, drawn = np.asarray(pair.read_image()), read_mask(pair.mask, data.labels)
        assert drawn.shape == shown.shape[:2]
        assert shown[drawn == 1].mean() > 140
