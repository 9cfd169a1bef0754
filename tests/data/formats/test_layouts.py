"""Public data sets in their original layouts: what is found, and what the labels become."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from public_trees import (
    WIDTH,
    Draw,
    ade20k,
    camvid,
    camvid_originals,
    cityscapes,
    coco_stuff,
    isaid,
    isprs,
    kitti,
    loveda,
    matlab,
    matrix,
    pascal_context,
    pascal_context_matrices,
    picture,
    sbd,
    values,
    voc,
)
from scenes import write_scenes

from segnext.data.coding import Window
from segnext.data.folder import DataSet, Folder, Pair, read_mask
from segnext.data.formats.options import Options
from segnext.data.formats.public import FORMATS, Format
from segnext.data.formats.public.camvid import GROUPS, split_of
from segnext.data.formats.public.coco_stuff import GAPS
from segnext.data.formats.public.layout import read_names
from segnext.data.formats.public.open import OPENERS, open_data
from segnext.data.formats.public.pascal_context import FREQUENT
from segnext.data.formats.public.tiles import tiles
from segnext.data.formats.run import import_dataset
from segnext.data.known import known_labels
from segnext.errors import SegNextError

# Format, tree, the pictures of each split, and the labels of a row of the first train picture's mask.
CASES: list[tuple[Format, Draw, dict[str, int], list[int]]] = [
    ("ade20k", ade20k, {"train": 1, "val": 1}, [255, 0, 1, 11, 148, 149]),
    ("cityscapes", cityscapes, {"train": 1, "val": 1, "train_extra": 1}, [255, 0, 1, 255, 18, 255]),
    ("kitti", kitti, {"train": 2}, [255, 0, 1, 255, 18, 255]),
    ("coco_stuff", coco_stuff, {"train": 1, "val": 1}, [0, 10, 11, 80, 170, 255]),
    ("voc", voc, {"train": 1, "val": 1, "trainval": 2, "train_aug": 2}, [0, 1, 15, 20, 255, 255]),
    ("pascal_context", pascal_context, {"train": 1, "val": 1}, [255, 0, 1, 57, 58, 255]),
    ("pascal_context_60", pascal_context, {"train": 1, "val": 1}, [0, 1, 2, 58, 59, 0]),
    ("pascal_context", pascal_context_matrices, {"train": 1, "val": 1}, [255, 0, 1, 57, 58, 255]),
    ("pascal_context_60", pascal_context_matrices, {"train": 1, "val": 1}, [0, 1, 2, 58, 59, 0]),
    (
        "loveda",
        loveda,
        {"train": 2, "train_rural": 1, "train_urban": 1, "val": 2, "val_rural": 1, "val_urban": 1},
        [255, 0, 1, 2, 6, 6],
    ),
    ("camvid", camvid, {"train": 1, "val": 1, "test": 1}, [0, 1, 3, 8, 10, 11]),
    ("camvid", camvid_originals, {"train": 3, "val": 1, "test": 2}, [11, 0, 1, 3, 8, 10]),
    ("camvid_32", camvid_originals, {"train": 3, "val": 1, "test": 2}, [255, 22, 3, 10, 27, 13]),
    ("potsdam", isprs, {"train": 1, "val": 1}, [0, 1, 3, 4, 5, 255]),
    ("vaihingen", isprs, {"train": 1, "val": 1}, [0, 1, 3, 4, 5, 255]),
]


def opened(format: Format, draw: Draw, root: Path) -> DataSet:
    draw(root)
    return open_data(root / "CamVid" if draw is camvid else root, format)


@pytest.mark.parametrize(("format", "draw", "counts", "row"), CASES)
def test_splits_and_labels(format: Format, draw: Draw, counts: dict[str, int], row: list[int], tmp_path: Path) -> None:
    data = opened(format, draw, tmp_path)
    assert data.labels == known_labels("cityscapes" if format == "kitti" else format)
    assert {split: len(data.pairs(split)) for split in data.splits()} == counts
    for split in data.splits():
        for pair in data.pairs(split):
            mask = pair.read_mask(data.labels)
            assert mask.dtype == np.uint8
            assert pair.read_image().shape == (*mask.shape, 3)
    mask = data.pairs("train")[0].read_mask(data.labels)
    assert mask.tolist() == [row] * 4


def test_every_format_has_a_reader_and_is_tried() -> None:
    assert set(OPENERS) == set(FORMATS)
    assert {format for format, *_ in CASES} | {"isaid"} == set(FORMATS)


@pytest.mark.parametrize("format", FORMATS)
def test_another_layout_is_refused_with_the_one_expected(format: Format, tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match=rf"{tmp_path.name}: is not laid out as .*; expected in it: "):
        open_data(tmp_path, format)
    with pytest.raises(SegNextError, match="nowhere: no such folder; give the one that holds "):
        open_data(tmp_path / "nowhere", format)


def test_without_a_format_the_folder_is_one_of_ours(tmp_path: Path) -> None:
    write_scenes(tmp_path, {"val": 1}, height=16, width=16)
    data = open_data(tmp_path)
    assert isinstance(data, Folder)
    assert data.pairs("val")[0].coding is None


def test_isaid_is_cut_into_overlapping_tiles(tmp_path: Path) -> None:
    isaid(tmp_path)
    data = open_data(tmp_path, "isaid")
    first, second = data.pairs("train")
    assert (first.window, second.window) == (Window(0, 0, 60, 896), Window(0, 104, 60, 896))
    mask = first.read_mask(data.labels)
    assert mask.shape == (60, 896)
    assert first.read_image().shape == (60, 896, 3)
    assert (mask[:10, :50] == data.labels.classes.index("plane")).all()
    assert np.count_nonzero(mask) == 10 * 50
    mask = second.read_mask(data.labels)
    assert (mask[-5:, -20:] == data.labels.classes.index("ship")).all()
    assert np.count_nonzero(mask) == 5 * 20
    [small] = data.pairs("val")
    assert (small.read_mask(data.labels) == data.labels.classes.index("small vehicle")).all()
    assert small.window == Window(0, 0, 4, WIDTH)


def test_tiles_cover_a_picture_and_end_with_it(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (25, 10))
    found = tiles([Pair(tmp_path / "a.png", tmp_path / "m.png")], side=10, stride=6)
    assert [tile.window for tile in found] == [Window(0, left, 10, 10) for left in (0, 6, 12, 15)]
    picture(tmp_path / "a.png", (10, 23))
    found = tiles([Pair(tmp_path / "a.png", tmp_path / "m.png")], side=10, stride=10)
    assert [tile.window for tile in found] == [Window(top, 0, 10, 10) for top in (0, 10, 13)]
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(SegNextError, match=r"a\.png: not an image that can be read"):
        tiles(found, side=10, stride=6)


def test_a_window_is_a_copy(tmp_path: Path) -> None:
    isaid(tmp_path)
    pair = open_data(tmp_path, "isaid").pairs("train")[0]
    pair.read_image()[:] = 0
    assert pair.read_image().max() == 160


def test_coco_has_182_ids_of_which_171_are_used() -> None:
    assert 182 - len(GAPS) == len(known_labels("coco_stuff")) == 171


def test_a_gap_of_coco_is_refused(tmp_path: Path) -> None:
    coco_stuff(tmp_path)
    values(tmp_path / "stuffthingmaps_trainval2017/val2017/000000000009.png", 0, 11, 11, 0, 0, 0)
    [pair] = open_data(tmp_path, "coco_stuff").pairs("val")
    with pytest.raises(SegNextError, match=r"000000000009\.png: holds 11 in 8 pixels, which masks of COCO-Stuff 164k"):
        pair.read_mask(known_labels("coco_stuff"))


def test_masks_of_another_kind_are_refused(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    folder = tmp_path / "gtFine/val/lindau"
    (folder / "lindau_000000_000019_gtFine_color.png").replace(folder / "lindau_000000_000019_gtFine_labelIds.png")
    [pair] = open_data(tmp_path, "cityscapes").pairs("val")
    with pytest.raises(SegNextError, match=r"labelIds\.png: holds colours, but masks of Cityscapes hold one number"):
        pair.read_mask(known_labels("cityscapes"))


def test_foreign_colours_are_named(tmp_path: Path) -> None:
    isaid(tmp_path)
    data = open_data(tmp_path, "isaid")
    shutil.copy(tmp_path / "iSAID/val/images/P0003.png", tmp_path / "iSAID/train/images/P0002_instance_color_RGB.png")
    with pytest.raises(SegNextError, match=r"P0002_instance_color_RGB\.png: holds #285aa0 in 24 pixels, which masks"):
        data.pairs("train")[0].read_mask(data.labels)


def test_missing_masks_and_pictures_are_named(tmp_path: Path) -> None:
    ade20k(tmp_path)
    voc(tmp_path)
    (tmp_path / "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png").unlink()
    with pytest.raises(SegNextError, match=r"ADE_val_00000001\.jpg: has no mask .*ADE_val_00000001\.png \(1 of 1"):
        open_data(tmp_path, "ade20k").pairs("val")
    (tmp_path / "VOCdevkit/VOC2012/JPEGImages/2007_000032.jpg").unlink()
    with pytest.raises(SegNextError, match=r"2007_000032\.jpg: is listed in the split, but not there \(1 of 1"):
        open_data(tmp_path, "voc").pairs("train")


def test_missing_and_empty_splits_are_named(tmp_path: Path) -> None:
    ade20k(tmp_path)
    data = open_data(tmp_path, "ade20k")
    with pytest.raises(SegNextError, match="has no split 'test'; the splits found in it are: train, val"):
        data.pairs("test")
    (tmp_path / "ADEChallengeData2016/images/training/ADE_train_00000001.jpg").unlink()
    with pytest.raises(SegNextError, match="there is no picture in its split 'train'"):
        data.pairs("train")


def test_train_aug_is_train_and_what_sbd_adds_but_val(tmp_path: Path) -> None:
    voc(tmp_path)
    masks = ["SegmentationClass/2007_000032.png", "SegmentationClassAug/2008_000002.png"]
    base = tmp_path / "VOCdevkit/VOC2012"
    pairs = open_data(tmp_path, "voc").pairs("train_aug")
    assert [pair.image.stem for pair in pairs] == ["2007_000032", "2008_000002"]
    assert [pair.mask for pair in pairs] == [base / mask for mask in masks]
    (base / "SegmentationClassAug/2007_000032.png").unlink()  # where it holds SBD's masks alone
    assert open_data(tmp_path, "voc").pairs("train_aug") == pairs
    (tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(SegNextError, match=r"val\.txt: is missing; train_aug is made of"):
        open_data(tmp_path, "voc").pairs("train_aug")


def test_train_aug_from_the_files_of_sbd(tmp_path: Path) -> None:
    voc(tmp_path)
    shutil.rmtree(tmp_path / "VOCdevkit/VOC2012/SegmentationClassAug")
    assert "train_aug" not in open_data(tmp_path, "voc").splits()
    sbd(tmp_path)
    data = open_data(tmp_path, "voc")
    first, second = data.pairs("train_aug")
    assert first.mask == tmp_path / "VOCdevkit/VOC2012/SegmentationClass/2007_000032.png"
    assert second.mask == tmp_path / "benchmark_RELEASE/dataset/cls/2008_000002.mat"
    assert second.image == tmp_path / "VOCdevkit/VOC2012/JPEGImages/2008_000002.jpg"
    assert second.read_mask(data.labels).tolist() == [[0, 0, 7, 7, 20, 0]] * 4
    (tmp_path / "benchmark_RELEASE").rename(tmp_path / "VOCdevkit/VOC2012/benchmark_RELEASE")
    assert len(open_data(tmp_path / "VOCdevkit/VOC2012", "voc").pairs("train_aug")) == 2


def test_masks_of_vaihingen_without_boundaries(tmp_path: Path) -> None:
    isprs(tmp_path)
    given = tmp_path / "Vaihingen/gts_for_participants"
    eroded = given.with_name("ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE")
    given.rename(eroded)
    for file in list(eroded.iterdir()):
        file.rename(eroded / f"{file.stem}_noBoundary.tif")
    data = open_data(tmp_path, "vaihingen")
    [pair] = data.pairs("train")
    assert pair.mask.name == "top_mosaic_09cm_area1_noBoundary.tif"
    assert pair.read_mask(data.labels).tolist() == [[0, 1, 3, 4, 5, 255]] * 4


def test_a_number_that_pascal_context_does_not_have_is_refused(tmp_path: Path) -> None:
    pascal_context_matrices(tmp_path)
    matlab(tmp_path / "VOC2010/trainval/2008_000003.mat", matrix("LabelMap", [[460] * 6] * 4, "u2"))
    [pair] = open_data(tmp_path, "pascal_context").pairs("val")
    with pytest.raises(SegNextError, match=r"2008_000003\.mat: holds 460 in 24 pixels, which masks of Pascal Context"):
        pair.read_mask(known_labels("pascal_context"))


def test_the_frequent_classes_of_pascal_context() -> None:
    """59 numbers of the 459; with those of a few, as the authors' list of labels has them."""
    numbers = [int(number) for number in FREQUENT.split()]
    assert numbers == sorted(set(numbers))
    named = dict(zip(known_labels("pascal_context").classes, numbers, strict=True))
    assert [named[name] for name in ("aeroplane", "bicycle", "cat", "person", "sky", "wood")] == [
        2,
        23,
        65,
        284,
        360,
        458,
    ]


def test_lists_of_names_and_of_paths(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_text("2007_000032\n/JPEGImages/2011_003276.jpg /SegmentationClassAug/2011_003276.png\n\n")
    assert read_names(file) == ["2007_000032", "2011_003276"]
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SegNextError, match=r"train\.txt: is not a text file"):
        read_names(file)


def test_the_32_camvid_classes_are_grouped_once_each() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(known_labels("camvid_32").classes)
    assert tuple(GROUPS) == known_labels("camvid").classes


@pytest.mark.parametrize(
    ("frame", "split"),
    [
        ("0001TP_008520", "train"),
        ("0001TP_008550", "test"),
        ("0016E5_07957", "train"),
        ("0016E5_07959", "val"),
        ("0016E5_08159", "val"),
        ("0016E5_08161", "train"),
        ("Seq05VD_f05100", "test"),
    ],
)
def test_the_division_of_camvid(frame: str, split: str) -> None:
    assert split_of(frame) == split


def test_the_division_is_that_of_the_published_frames() -> None:
    folder = Path(__file__).parents[3] / "../shared/camvid/images"
    if not folder.is_dir():
        pytest.skip("the CamVid frames are not here")
    frames = {split: [file.stem for file in (folder / split).iterdir()] for split in ("train", "val")}
    assert {split: len(names) for split, names in frames.items()} == {"train": 367, "val": 101}
    assert all(split_of(name) == split for split, names in frames.items() for name in names)


@pytest.mark.parametrize(("format", "draw"), [(format, draw) for format, draw, *_ in CASES if format != "voc"])
def test_every_layout_can_be_imported(tmp_path: Path, format: Format, draw: Draw) -> None:
    data = opened(format, draw, tmp_path / "in")
    pairs = {pair.image: pair for split in data.splits() for pair in data.pairs(split)}
    summary = import_dataset(format, tmp_path / "out", Options(data.path))
    folder = Folder.open(tmp_path / "out")
    assert (folder.labels, summary.imported) == (data.labels, len(pairs))
    for record in summary.records:
        if record.target:
            mask = tmp_path / "out/masks" / Path(record.target).with_suffix(".png")
            np.testing.assert_array_equal(
                read_mask(mask, data.labels), pairs[data.path / record.source].read_mask(data.labels)
            )
