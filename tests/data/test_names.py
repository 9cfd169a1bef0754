import re
from pathlib import Path

import pytest

from segnext.data.file_sets import role_of_all
from segnext.data.names import Role, bare_stem, split_of, stem_of, tokens
from segnext.data.pairing import pair


def pairs(*names: str) -> list[tuple[str, str]]:
    return [(str(image), str(mask)) for image, mask in pair([Path(name) for name in names]).pairs]


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("SegmentationClass", ["segmentation", "class"]),
        ("trainannot", ["train", "annot"]),
        ("Tile 4", ["tile", "4"]),
        ("imagesTr", ["images", "tr"]),
    ],
)
def test_words_of_a_name(folder: str, words: list[str]) -> None:
    assert tokens(folder) == words


@pytest.mark.parametrize(
    ("file", "role"),
    [
        ("JPEGImages/a.jpg", Role.IMAGE),
        ("train/labels/a.png", Role.MASK),
        ("train_masks/a.png", Role.MASK),
        ("Semantic segmentation dataset/Tile 4/images/a.jpg", Role.IMAGE),
        ("gtFine/train/aachen/a.png", Role.MASK),
        ("train/clouds/a.png", Role.UNKNOWN),
    ],
)
def test_role(file: str, role: Role) -> None:
    assert role_of_all([Path(file)]) is role


@pytest.mark.parametrize(
    ("name", "split"),
    [("Training", "train"), ("valid", "val"), ("test_images", "test"), ("trainval", None), ("a", None)],
)
def test_split(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_stems() -> None:
    assert stem_of(Path("masks/A.jpg.png")) == "a"
    assert [bare_stem(stem) for stem in ("a_mask", "mask_a", "104_sat", "x_gtfine_labelids")] == ["a", "a", "104", "x"]
    assert bare_stem("mask") == "mask"


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/train/a.JPG", "masks/train/A.png"),
        ("train/images/a.jpg", "train/masks/a.jpg.png"),
        ("img/104_sat.jpg", "img/104_mask.png"),
        ("a.jpg", "a_mask.png"),
        ("leftImg8bit/val/ulm/ulm_1_leftImg8bit.png", "gtFine/val/ulm/ulm_1_gtFine_labelIds.png"),
        ("train/a.png", "trainannot/a.png"),
        ("data/train/clouds/a.png", "data/train/labels/a.png"),
        ("CameraRGB/7.png", "CameraSeg/7.png"),
        ("X_train/7.png", "y_train/7.png"),
        ("A/7.jpg", "B/7.png"),
    ],
)
def test_pairs_of_common_layouts(image: str, mask: str) -> None:
    assert pairs(image, mask) == [(image, mask)]


def test_common_ends_of_names_are_left_out() -> None:
    names = [f"images/{i}_training.tif" for i in (21, 22)] + [f"manual/{i}_manual1.gif" for i in (21, 22)]
    assert [mask for _, mask in pairs(*names)] == ["manual/21_manual1.gif", "manual/22_manual1.gif"]


def test_of_several_masks_the_label_ids_are_taken() -> None:
    names = ["leftImg8bit/u_1_leftImg8bit.png", *(f"gtFine/u_1_gtFine_{k}.png" for k in ("color", "labelIds"))]
    found = pair([Path(name) for name in names])
    assert [mask.name for _, mask in found.pairs] == ["u_1_gtFine_labelIds.png"]
    assert [mask.name for mask in found.many_masks] == ["u_1_gtFine_color.png"]


def test_equal_names_in_different_folders_are_not_confused() -> None:
    names = [f"Tile {tile}/{kind}" for tile in (1, 2) for kind in ("images/p.jpg", "masks/p.png")]
    assert pairs(*names) == [(f"Tile {i}/images/p.jpg", f"Tile {i}/masks/p.png") for i in (1, 2)]


def test_two_annotators_and_the_field_of_view() -> None:
    folders = [f"training/{name}" for name in ("images/{}_training.tif", "1st_manual/{}_manual1.gif")]
    names = [name.format(i) for i in (21, 22) for name in (*folders, "training/mask/{}_training_mask.gif")]
    found = pair([Path(name) for name in names])
    assert [str(mask) for _, mask in found.pairs] == [f"training/1st_manual/{i}_manual1.gif" for i in (21, 22)]
    assert [file.parent.name for file in found.aside] == ["mask", "mask"]
    names = [f"Image_{i:02}{eye}{end}" for i in (1, 2) for eye in "LR" for end in (".jpg", "_1stHO.png", "_2ndHO.png")]
    found = pair([Path(name) for name in names])
    assert [(str(image), str(mask)) for image, mask in found.pairs] == [
        (f"Image_{i:02}{eye}.jpg", f"Image_{i:02}{eye}_1stHO.png") for i in (1, 2) for eye in "LR"
    ]
    assert len(found.many_masks) == 4


def test_annotators_behind_a_dot() -> None:
    found = pair(Path(f"im000{number}{end}.ppm") for number in (1, 2) for end in ("", ".ah", ".vk"))
    assert [str(mask) for _, mask in found.pairs] == ["im0001.ah.ppm", "im0002.ah.ppm"]
    assert [str(mask) for mask in found.many_masks] == ["im0001.vk.ppm", "im0002.vk.ppm"]


def test_two_annotators_of_pictures_of_another_name() -> None:
    folders = ("test/images/{}_test.tif", "test/1st_manual/{}_manual1.gif", "test/2nd_manual/{}_manual2.gif")
    found = pair(Path(name.format(number)) for name in folders for number in ("01", "02"))
    assert [str(mask) for _, mask in found.pairs] == [f"test/1st_manual/{i}_manual1.gif" for i in ("01", "02")]
    assert [str(mask) for mask in found.many_masks] == [f"test/2nd_manual/{i}_manual2.gif" for i in ("01", "02")]
    assert found.masks == []


def test_drawings_and_further_masks_beside_a_picture_are_no_pictures() -> None:
    ends = ("_rgb", "_label", "_centers")
    found = pair(Path(f"A1/plant{number}{end}.png") for number in ("01", "02") for end in ends)
    assert [str(mask) for _, mask in found.pairs] == ["A1/plant01_label.png", "A1/plant02_label.png"]
    assert found.images == []
    assert [file.name for file in found.aside] == ["plant01_centers.png", "plant02_centers.png"]
    found = pair([Path(f"benign ({number}){end}.png") for number in (1, 2) for end in ("", "_mask", "_mask_1")])
    assert [file.name for file in found.many_masks] == ["benign (1)_mask_1.png", "benign (2)_mask_1.png"]
    found = pair([Path(f"a{end}.png") for end in ("", "_mask", "_2", "2")])  # pictures whose masks are missing
    assert [file.name for file in found.images] == ["a2.png", "a_2.png"]


def test_names_that_differ_in_capitals_are_two_where_both_are_there() -> None:
    names = ["images/A.jpg", "images/a.jpg", "masks/A.png", "masks/a.png"]
    assert pairs(*names) == [("images/A.jpg", "masks/A.png"), ("images/a.jpg", "masks/a.png")]


def test_numbers_of_mask_folders() -> None:
    names = [f"{city}/{kind}/{i}.png" for city in "ab" for kind in ("rgb", "semseg-label37") for i in (1, 2)]
    assert pairs(*names) == [(f"{c}/rgb/{i}.png", f"{c}/semseg-label37/{i}.png") for c in "ab" for i in (1, 2)]


def test_zeros_before_numbers() -> None:
    names = [name.format(i) for i in (1, 2, 10) for name in ("images/img_{}.png", "masks/mask_{:03}.png")]
    assert pairs(*names) == [(f"images/img_{i}.png", f"masks/mask_{i:03}.png") for i in (1, 10, 2)]


@pytest.mark.parametrize(
    ("patterns", "pairs_there"),
    [
        (("dataset/train/images/{}.jpg", "dataset/train/masks/{}.png", "dataset/test/images/t{}.jpg"), 6),
        (("train_imgs/{}.jpg", "train_labels/{}.png", "val_imgs/{}.jpg", "val_labels/{}.png"), 12),
        (("IMG_{}.JPG", "labels/IMG_{}.JPG_mask.png"), 6),
        (("v/f_{}_endo.png", "v/f_{}_endo_mask.png", "v/f_{}_endo_color_mask.png"), 6),
        (("damage/img ({}).jpg", "damage/img ({})_GT.png"), 6),
        (("images/img_{}.jpeg", "masks/seg_{}.jpeg"), 6),
        (("crack/images/{}.jpg", "crack/masks/{}.png", "hole/images/{}.jpg", "hole/masks/{}.png"), 12),
        (("{}/image.png", "{}/mask.png", "{}/overlay.png"), 6),
        (("d/x_{}.png", "d/mask_{}.png"), 6),
        (
            (
                "site/a/photos/p{}.jpg",
                "site/a/photos/labels/p{}.png",
                "site/b/photos/p{}.jpg",
                "site/b/photos/labels/p{}.png",
            ),
            12,
        ),
        (("a/{}.jpg", "b/{}.jpg", "a_masks/{}.png", "b_masks/{}.png"), 12),
        (("Original images/pic {}.png", "Ground truth/pic {}.png", "Edges/pic {}.png"), 6),
    ],
)
def test_pairs_of_layouts_that_nobody_listed(patterns: tuple[str, ...], pairs_there: int) -> None:
    found = pair(Path(pattern.format(number)) for number in range(1, 7) for pattern in patterns)
    assert len(found.pairs) == pairs_there
    assert all(re.findall(r"\d+", str(image)) == re.findall(r"\d+", str(mask)) for image, mask in found.pairs)


def test_where_names_say_nothing_looks_decide() -> None:
    files = [Path(f"{folder}/{number}.png") for folder in ("one", "two") for number in range(4)]
    assert pair(files).pairs == []
    found = pair(files, looks=lambda file: 0.9 if file.parent.name == "one" else 0.1)
    assert [(image.parent.name, mask.parent.name) for image, mask in found.pairs] == [("two", "one")] * 4


def test_masks_can_be_named_by_folder_and_pattern() -> None:
    kinds = (("images", ""), ("masks", "_x"))
    files = [Path(f"{folder}/a{number}{end}.png") for number in (1, 2) for folder, end in kinds]
    files += [Path(f"old/a{number}.png") for number in (1, 2)]
    assert {mask.parent.name for _, mask in pair(files).pairs} == {"masks"}
    assert {mask.parent.name for _, mask in pair(files, masks_in="old").pairs} == {"old"}
    assert {mask.name for _, mask in pair(files, masks_in="masks/*_x").pairs} == {"a1_x.png", "a2_x.png"}
