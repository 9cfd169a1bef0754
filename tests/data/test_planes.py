"""Multi-label masks: a folder of binary files per picture."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segnext.data.folder import Folder
from segnext.errors import SegNextError

YAML = """
name: eye
classes:
  - {name: vessel, color: [200, 0, 0]}
  - {name: optic disc, color: [0, 200, 0]}
  - {name: drusen, color: [0, 0, 200]}
multi_label: true
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One picture, 3 high and 4 wide, with two classes that overlap."""
    (tmp_path / "images/train/left").mkdir(parents=True)
    (tmp_path / "masks/train/left/a.1").mkdir(parents=True)
    (tmp_path / "dataset.yaml").write_text(YAML)
    PIL.Image.new("RGB", (4, 3)).save(tmp_path / "images/train/left/a.1.jpg")
    save(tmp_path, "vessel", [[0, 255, 255, 0], [0, 0, 0, 0], [0, 0, 0, 255]])
    save(tmp_path, "optic disc", [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]])
    return tmp_path


def save(data: Path, name: str, values: list[list[int]], mode: str = "L") -> Path:
    file = data / f"masks/train/left/a.1/{name}.png"
    PIL.Image.fromarray(np.array(values, np.uint8)).convert(mode).save(file)
    return file


def planes(data: Path) -> list[list[list[int]]]:
    folder = Folder.open(data)
    (pair,) = folder.pairs("train")
    found: list[list[list[int]]] = pair.read_mask(folder.labels).tolist()
    return found


EMPTY = [[0, 0, 0, 0]] * 3


def test_a_plane_for_every_class(data: Path) -> None:
    assert Folder.open(data).labels.multi_label
    (data / "masks/train/left/a.1/.DS_Store").touch()
    (data / "masks/train/left/a.1/b").mkdir()  # of a picture left/a.1/b.jpg
    assert planes(data) == [
        [[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]],
        [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]],
        EMPTY,
    ]


def test_ignored_pixels_count_for_no_class(data: Path) -> None:
    save(data, "ignore", [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert planes(data) == [
        [[0, 1, 255, 0], [255, 0, 0, 0], [0, 0, 0, 1]],
        [[0, 0, 255, 1], [255, 0, 0, 0], [0, 0, 0, 1]],
        [[0, 0, 255, 0], [255, 0, 0, 0], [0, 0, 0, 0]],
    ]


def test_an_empty_folder_means_that_no_class_is_there(data: Path) -> None:
    for file in (data / "masks/train/left/a.1").iterdir():
        file.unlink()
    assert planes(data) == [EMPTY] * 3


def test_one_bit_and_palette_files(data: Path) -> None:
    save(data, "vessel", [[0, 255, 0, 0]] * 3, "1")
    picture = PIL.Image.fromarray(np.array([[0, 0, 1, 0]] * 3, np.uint8))
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.save(data / "masks/train/left/a.1/optic disc.png")
    assert planes(data)[:2] == [[[0, 1, 0, 0]] * 3, [[0, 0, 1, 0]] * 3]


def test_what_is_refused(data: Path) -> None:
    smooth = save(data, "drusen", [[0, 255, 90, 0]] * 3)
    with pytest.raises(SegNextError, match=r"drusen\.png: holds the value 90; the mask of one class is 0 .* and 255"):
        planes(data)
    save(data, "drusen", [[0, 1, 2, 0]] * 3)
    with pytest.raises(SegNextError, match=r"drusen\.png: holds the value 2"):
        planes(data)
    save(data, "drusen", [[0, 1]])
    with pytest.raises(SegNextError, match=r"is \d x \d, other masks of its picture \d x \d; all must have"):
        planes(data)
    smooth.rename(smooth.with_name("druse.png"))
    with pytest.raises(SegNextError, match=r"druse\.png: is the mask of no class; .*\(vessel, optic disc, drusen\)"):
        planes(data)


def test_a_picture_without_a_folder(data: Path) -> None:
    PIL.Image.new("RGB", (4, 3)).save(data / "images/train/b.png")
    with pytest.raises(SegNextError, match=r"b\.png: has no folder of masks .*train/b \(1 of 2 pictures"):
        Folder.open(data).pairs("train")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("multi_label: true", "multi_label: maybe", "'multi_label' is 'maybe'; it must be true or false"),
        ("drusen", "a/b", "class 'a/b' cannot be the name of a file"),
        ("drusen", "Ignore", "class 'Ignore' cannot be the name of a file"),
        ("drusen", "Vessel", "class names differ in capital letters alone"),
    ],
)
def test_class_names_are_file_names(data: Path, old: str, new: str, message: str) -> None:
    (data / "dataset.yaml").write_text(YAML.replace(old, new))
    with pytest.raises(SegNextError, match=message):
        Folder.open(data)


def test_the_ignore_label_is_no_value_of_a_plane(data: Path) -> None:
    one = "name: x\nclasses: [{name: a, color: [0, 0, 0]}]\nignore: 1\nmulti_label: true\n"
    (data / "dataset.yaml").write_text(one)
    with pytest.raises(SegNextError, match="'ignore' is 1; of multi-label masks it must be from 2 to 255"):
        Folder.open(data)
