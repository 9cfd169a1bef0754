"""What the doctor advises runs, and mends what it was advised for."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from messy_folder import Folder
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from segnext.cli import main
from segnext.data.doctor.check import check
from segnext.data.doctor.findings import Finding, Severity
from segnext.data.folder import Folder as DataSet
from segnext.data.folder import read_mask

COLORS = np.array([(0, 128, 0), (128, 64, 128), (128, 0, 0)], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data set ü")


def follow(finding: Finding, destination: Path) -> int:
    """Run the import that a finding advises; its exit code."""
    found = re.search(r"segnext data import .* DEST( --?[\w-]+| \S+)*", finding.fix)
    assert found, finding.fix
    return main([str(destination) if word == "DEST" else word for word in shlex.split(found[0])[1:]])


def errors(root: Path) -> list[str]:
    return [finding.code for finding in check(root).findings if finding.severity is Severity.ERROR]


def blurred(mask: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(COLORS[mask % 255]).filter(ImageFilter.GaussianBlur(0.8))


@pytest.mark.parametrize(
    ("code", "encode"),
    [
        ("binary-masks", lambda mask: Image.fromarray((mask == 1) * np.uint8(255))),
        ("color-masks", lambda mask: Image.fromarray(COLORS[mask % 255])),
        ("blurred-masks", blurred),
        ("labels-from-one", lambda mask: Image.fromarray(mask % 255 + np.uint8(1))),
        ("grey-levels", lambda mask: Image.fromarray(mask % 255 * np.uint8(85))),
        ("16-bit-masks", lambda mask: Image.fromarray(mask.astype(np.uint16))),
        ("grey-rgb-masks", lambda mask: Image.fromarray(np.repeat(mask[..., None], 3, axis=2))),
    ],
)
def test_advised_imports_mend(
    folder: Folder, tmp_path: Path, code: str, encode: Callable[[NDArray[np.uint8]], Image.Image]
) -> None:
    folder.clean()
    for index, file in enumerate(sorted((folder.root / "masks").rglob("*.png"))):
        encode(np.roll(folder.mask(), index, axis=1)).save(file)
    found = folder.found()
    assert follow(found[code], tmp_path / "new") == 0
    assert errors(tmp_path / "new") == []
    assert {finding.code for finding in check(tmp_path / "new").findings} <= {"palette-masks", "missing-classes"}


def test_blurred_black_and_white(folder: Folder, tmp_path: Path) -> None:
    for index in range(4):
        folder.save(f"images/{index}.png", folder.picture(160, 200))
        mask = np.roll((folder.mask(160, 200) == 1) * np.uint8(255), index, axis=1)
        folder.save(f"masks/{index}.png", Image.fromarray(mask).filter(ImageFilter.GaussianBlur(1)))
    assert follow(folder.found()["blurred-masks"], tmp_path / "new") == 0
    assert errors(tmp_path / "new") == []


def test_blurred_colours_become_the_nearest_class(folder: Folder, tmp_path: Path) -> None:
    for index in range(4):
        folder.pair(str(index), mask=np.asarray(blurred(folder.mask())))
    advised = {command for finding in check(folder.root).findings for command in finding.commands}
    assert len(advised) == 1
    assert follow(folder.found()["color-masks"], tmp_path / "new") == 0
    data = DataSet.open(tmp_path / "new")
    assert data.labels.colors == ((0, 128, 0), (128, 0, 0), (128, 64, 128))
    mask = read_mask(data.path / "masks/train/0.png", data.labels)
    np.testing.assert_array_equal(mask[24, [2, 30, 60]], [0, 2, 1])


@pytest.mark.parametrize("named", ["labels", "colors"])
def test_class_lists_of_annotation_tools_are_found(folder: Folder, tmp_path: Path, named: str) -> None:
    for index in range(4):
        mask = folder.mask() if named == "labels" else COLORS[folder.mask() % 255]
        folder.save(f"train/{index}.jpg", folder.picture())
        folder.save(f"train/{index}_mask.png", np.roll(mask, index, axis=0))
    if named == "labels":  # as Roboflow writes them
        (folder.root / "train/_classes.csv").write_text("Pixel Value, Class\n0, floor\n1, wall\n2, door\n")
    else:  # as CVAT does
        lines = [f"{name}:{r},{g},{b}::" for name, (r, g, b) in zip(("floor", "wall", "door"), COLORS, strict=True)]
        (folder.root / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *lines]))
    finding = folder.found()["other-layout"]
    assert follow(finding, tmp_path / "new") == 0
    assert DataSet.open(tmp_path / "new").labels.classes == ("floor", "wall", "door")
    assert "--like" not in finding.fix


def test_a_class_list_that_lacks_a_label_is_not_advised(folder: Folder) -> None:
    folder.pair("a")
    (folder.root / "classes.txt").write_text("floor\nwall\n")
    assert "--classes" not in folder.found()["labels-without-names"].fix


def test_gaps_in_palette_masks_are_no_grey_levels(folder: Folder) -> None:
    palette = [value for color in range(256) for value in (color, 255 - color, 0)]
    for index in range(3):
        mask = Image.fromarray(np.roll(folder.mask(), index, axis=0) * np.uint8(9))
        mask.putpalette(palette)
        folder.save(f"images/{index}.png", folder.picture())
        folder.save(f"masks/{index}.png", mask)
    assert {"grey-levels", "palette-masks"} & folder.found().keys() == {"palette-masks"}


def test_lists_of_several_folders(folder: Folder, tmp_path: Path) -> None:
    for animal in ("lion", "wolf"):
        for index in range(4):
            folder.save(f"{animal}/JPEGImages/{index}.jpg", folder.picture())
            folder.save(f"{animal}/SegmentationClass/{index}.png", np.roll(folder.mask(), index, axis=0))
        lists = folder.root / animal / "ImageSets/Segmentation"
        lists.mkdir(parents=True)
        first = 0 if animal == "lion" else 1
        (lists / "train.txt").write_text(f"{first}\n{first + 1}\n")
        (lists / "val.txt").write_text(f"{first + 2}\n")
    report = check(folder.root)
    found = folder.found()
    assert {name: len(items) for name, items in report.case.survey.splits().items()} == {"train": 4, "val": 2, "": 2}
    assert found["unlisted"].count == 2
    assert found["unlisted"].files == ("lion/JPEGImages/3.jpg", "wolf/JPEGImages/0.jpg")
    out = tmp_path / "new"
    words = [str(folder.root), str(out), "--from", "labels", "--names", "a,b,c"]
    assert main(["data", "import", *words]) == 0
    assert sorted(file.relative_to(out / "images").as_posix() for file in (out / "images").rglob("*.jpg")) == [
        *("train/lion/0.jpg", "train/lion/1.jpg", "train/wolf/1.jpg", "train/wolf/2.jpg"),
        *("unlisted/lion/3.jpg", "unlisted/wolf/0.jpg", "val/lion/2.jpg", "val/wolf/3.jpg"),
    ]


def test_annotations_in_json_are_told_apart(folder: Folder) -> None:
    folder.save("train/a.jpg", folder.picture())
    notes = folder.root / "train/a.json"
    notes.write_text('{"version": "5.0", "shapes": []}')
    assert folder.found()["annotations"].fix.endswith("DEST --from labelme")
    notes.write_text('{"images": [], "annotations": []}')
    assert folder.found()["annotations"].fix.endswith("DEST --from coco")


def test_a_folder_of_masks_for_each_picture_is_explained(folder: Folder) -> None:
    for index in range(3):
        folder.save(f"images/cell{index}.png", folder.picture())
        for instance in range(2):
            folder.save(f"masks/cell{index}/{instance}.png", (folder.mask() == instance) * np.uint8(255))
    found = folder.found()["mask-per-object"]
    assert found.title == "6 masks for 3 pictures, one for each object"


def test_folders_of_pictures_to_predict_are_no_mistake(folder: Folder) -> None:
    for index in range(3):
        folder.save(f"imagesTr/{index}_0000.png", folder.picture())
        folder.save(f"labelsTr/{index}.png", folder.mask())
        folder.save(f"imagesTs/{index + 3}_0000.png", folder.picture())
    found = folder.found()
    assert "images-without-mask" not in found
    assert found["split-without-masks"].severity is Severity.NOTE
    assert found["split-without-masks"].count == 3


def test_shapes_in_alpha_are_imported(folder: Folder, tmp_path: Path) -> None:
    shape = (folder.mask() == 1) * np.uint8(255)
    for index in range(3):
        mask = np.zeros((48, 64, 4), np.uint8)
        mask[..., 3] = np.roll(shape, index, axis=1)
        folder.save(f"images/{index}.png", folder.picture())
        folder.save(f"masks/{index}.png", mask)
    assert follow(folder.found()["other-layout"], tmp_path / "new") == 0
    data = DataSet.open(tmp_path / "new")
    np.testing.assert_array_equal(read_mask(data.path / "masks/train/0.png", data.labels), shape // 255)


def test_fractions_are_not_cut_to_labels(folder: Folder, tmp_path: Path) -> None:
    for index in range(3):
        folder.save(f"images/{index}.png", folder.picture())
        folder.save(f"masks/{index}.tif", Image.fromarray((folder.mask() == 1).astype(np.float32) * 0.5))
    assert "numpy.rint" in folder.found()["float-masks"].fix
    words = ["data", "import", str(folder.root), str(tmp_path / "new"), "--from", "labels", "--names", "a,b"]
    assert main(words) == 2
    assert main([*words[:5], "binary"]) == 0
    data = DataSet.open(tmp_path / "new")
    mask = read_mask(data.path / "masks/train/0.png", data.labels)
    assert np.bincount(mask.ravel()).tolist() == [48 * 64]  # 0.5 of 1 is 127, below the threshold


@pytest.mark.parametrize(("white", "one"), [(255, 1), (65535, 1), (65535, 255)])
def test_black_and_white_mixed_with_labels(folder: Folder, tmp_path: Path, white: int, one: int) -> None:
    for index in range(4):
        mask = np.roll(folder.mask() == 1, index, axis=1)
        value = white if index < 2 else one
        folder.save(f"images/{index}.png", folder.picture())
        folder.save(f"masks/{index}.png", np.where(mask, value, 0).astype(np.uint16 if value > 255 else np.uint8))
    found = folder.found()
    assert "grey-levels" not in found
    assert found["mixed-binary"].fix == found["other-layout"].fix
    assert follow(found["mixed-binary"], tmp_path / "new") == 0
    assert errors(tmp_path / "new") == []


def test_with_a_list_for_val_alone_the_rest_is_train(folder: Folder, tmp_path: Path) -> None:
    for index in range(3):
        folder.save(f"images/{index}.png", folder.picture())
        folder.save(f"labels/{index}_L.png", np.roll(folder.mask(), index, axis=0))
    (folder.root / "valid.txt").write_text("2.png\n")
    report = check(folder.root)
    assert {split: len(items) for split, items in report.case.survey.splits().items()} == {"train": 2, "val": 1}
    assert follow(folder.found()["other-layout"], tmp_path / "new") == 0
    assert (tmp_path / "new/masks/val/2.png").exists()
    assert (tmp_path / "new/masks/train/0.png").exists()


@pytest.mark.parametrize("indexed", [False, True])
def test_a_tools_list_of_other_colours(folder: Folder, indexed: bool) -> None:
    colors = np.array([(0, 0, 0), (250, 50, 83), (61, 61, 245)], np.uint8)
    for number in range(3):
        labels = np.roll(folder.mask(), number, axis=0) % 255  # nothing is ignored
        mask = Image.fromarray(labels) if indexed else Image.fromarray(colors[labels])
        if indexed:
            mask.putpalette(colors.tobytes())
        folder.pair(f"a{number}", mask=mask)

    def write(crack: str, spall: str) -> None:
        lines = ["# label:color_rgb:parts:actions", "ground:0,0,0::", f"crack:{crack}::", f"spall:{spall}::"]
        (folder.root / "labelmap.txt").write_text("\n".join(lines))

    write("250,50,83", "61,61,245")
    assert "list-colors" not in folder.found()
    write("61,61,245", "250,50,84")
    finding = folder.found()["list-colors"]
    if indexed:
        said = "label 1 is 'crack' in (61,61,245) there, but (250,50,83) in the masks' palette;"
        assert "--from labels --classes" in finding.fix
    else:
        said = "the masks hold 1 colour that it lacks, (250,50,83), and none has those of spall;"
        assert "--from colors" in finding.fix
    assert finding.why.startswith(said)
