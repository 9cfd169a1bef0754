"""Cityscapes, VOC and ADE20K trees of drawn scenes come back label for label, in their own splits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import draw_scene

from segnext.data.folder import Folder, read_mask
from segnext.data.formats.journal import ImportSummary
from segnext.data.formats.options import Options
from segnext.data.formats.public.cityscapes import TRAIN_IDS
from segnext.data.formats.run import import_dataset
from segnext.data.known import known_labels, labels_for_count
from segnext.errors import SegNextError

Array = NDArray[np.uint8]
VOC_COLORS = np.array(labels_for_count(256).colors, np.uint8)


def save(array: Array, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def bring(kind: str, source: Path, **options: object) -> tuple[ImportSummary, Folder]:
    out = source.parent / "out"
    return import_dataset(kind, out, Options(source, **options)), Folder.open(out)  # type: ignore[arg-type]


def labels_of(folder: Folder, name: str) -> Array:
    return read_mask(folder.path / "masks" / f"{name}.png", folder.labels)


def cityscapes(root: Path, split: str, city: str, seed: int) -> Array:
    """A frame with both kinds of masks but for `val`, which has ids only; returns its train ids."""
    image, labels = draw_scene(seed, 64, 96)
    labels[0] = 255
    ids = np.full(256, 5, np.uint8)  # an id that is ignored
    ids[list(TRAIN_IDS.values())] = list(TRAIN_IDS)
    frame = f"{city}_{seed:06}_000019"
    save(image, root / f"leftImg8bit/{split}/{city}/{frame}_leftImg8bit.png")
    save(ids[labels], root / f"gtFine/{split}/{city}/{frame}_gtFine_labelIds.png")
    save(labels * 2, root / f"gtFine/{split}/{city}/{frame}_gtFine_instanceIds.png")
    if split != "val":
        save(labels, root / f"gtFine/{split}/{city}/{frame}_gtFine_labelTrainIds.png")
    return labels


def test_cityscapes(tmp_path: Path) -> None:
    root = tmp_path / "in"
    truth = {
        split: cityscapes(root, split, city, seed)
        for seed, (split, city) in enumerate([("train", "bonn"), ("val", "ulm")])
    }
    save(np.zeros((4, 4), np.uint8), root / "gtCoarse/train/bonn/bonn_000000_000019_gtCoarse_labelIds.png")
    save(np.zeros((4, 4, 3), np.uint8), root / "leftImg8bit/test/bern/bern_000007_000019_leftImg8bit.png")
    summary, folder = bring("cityscapes", root)
    assert summary.splits() == {"train": 1, "val": 1}
    assert [record.source for record in summary.records if not record.target] == [
        "leftImg8bit/test/bern/bern_000007_000019_leftImg8bit.png"
    ]
    np.testing.assert_array_equal(labels_of(folder, "train/bonn/bonn_000000_000019"), truth["train"])
    np.testing.assert_array_equal(labels_of(folder, "val/ulm/ulm_000001_000019"), truth["val"])
    assert folder.labels.classes[0] == "road"


def test_cityscapes_ids_of_the_public_table() -> None:
    assert TRAIN_IDS[7] == 0  # road
    assert TRAIN_IDS[24] == 11  # person
    assert TRAIN_IDS[33] == 18  # bicycle
    assert not {0, 4, 6, 9, 16, 18, 29, 30} & TRAIN_IDS.keys()


def test_cityscapes_masks_of_other_labels_are_refused(tmp_path: Path) -> None:
    cityscapes(tmp_path / "in", "val", "ulm", 1)
    save(np.full((64, 96), 200, np.uint8), tmp_path / "in/gtFine/val/ulm/ulm_000001_000019_gtFine_labelIds.png")
    cityscapes(tmp_path / "in", "val", "ulm", 2)
    summary, _ = bring("cityscapes", tmp_path / "in")
    assert [record.kind for record in summary.records] == ["foreign label", ""]


def voc(root: Path, rgb: bool) -> dict[str, Array]:
    truth = {}
    for seed, name in enumerate(["2007_01", "2007_02", "2007_03"]):
        image, labels = draw_scene(seed, 64, 96)
        labels[5] = 255
        truth[name] = labels
        save(image, root / f"JPEGImages/{name}.jpg")
        (root / "SegmentationClass").mkdir(exist_ok=True)
        mask = Image.fromarray(VOC_COLORS[labels] if rgb else labels)
        if not rgb:
            mask.putpalette(VOC_COLORS.tobytes())
        mask.save(root / f"SegmentationClass/{name}.png")
    save(image, root / "JPEGImages/2007_09.jpg")
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_01\n2007_02\n2007_08\n")
    (lists / "val.txt").write_text("2007_02\n")
    (lists / "trainval.txt").write_text("2007_01\n2007_02\n")
    return truth


@pytest.mark.parametrize("rgb", [False, True])
def test_voc(tmp_path: Path, rgb: bool) -> None:
    truth = voc(tmp_path / "in/VOCdevkit/VOC2007", rgb)
    summary, folder = bring("voc", tmp_path / "in")
    assert summary.splits() == {"train": 1, "val": 1, "unlisted": 1}
    for name, split in (("2007_01", "train"), ("2007_02", "val"), ("2007_03", "unlisted")):
        np.testing.assert_array_equal(labels_of(folder, f"{split}/{name}"), truth[name])
    left_out = [(record.kind, record.expected) for record in summary.records if not record.target]
    assert left_out == [("no mask", True), ("listed in vain", False)]
    assert any("1 pictures are listed in 'train' and 'val'; they are in 'val' alone" in x for x in summary.remarks)
    assert folder.labels.classes[0] == "background"


def test_voc_as_labelme_writes_it(tmp_path: Path) -> None:
    truth = voc(tmp_path / "in", rgb=False)
    (tmp_path / "in/SegmentationClass").rename(tmp_path / "in/SegmentationClassPNG")
    (tmp_path / "in/SegmentationClass").mkdir()  # matrices, in earlier versions
    np.save(tmp_path / "in/SegmentationClass/2007_01.npy", truth["2007_01"])
    summary, folder = bring("voc", tmp_path / "in")
    assert summary.splits() == {"train": 1, "val": 1, "unlisted": 1}
    np.testing.assert_array_equal(labels_of(folder, "val/2007_02"), truth["2007_02"])


def test_voc_colours_beyond_its_21_classes(tmp_path: Path) -> None:
    image, labels = draw_scene(1, 64, 96)
    save(image, tmp_path / "in/JPEGImages/1.jpg")
    save(VOC_COLORS[labels + 20], tmp_path / "in/SegmentationClass/1.png")
    summary = import_dataset("voc", tmp_path / "no", Options(tmp_path / "in", like="voc"))
    assert "none of the 21 classes" in summary.records[0].reason
    with pytest.raises(SegNextError, match="hold 10 labels with wide gaps"):
        bring("voc", tmp_path / "in")
    _, folder = bring("voc", tmp_path / "in", classes="derive")
    np.testing.assert_array_equal(labels_of(folder, "train/1"), labels + 20)
    assert folder.labels.colors[20] == (0, 64, 128)
    with pytest.raises(SegNextError, match="there is no folder JPEGImages in it"):
        bring("voc", tmp_path / "in/JPEGImages")


def own_voc(root: Path, values: Sequence[int], palette: NDArray[np.uint8] | None = None) -> None:
    """Pictures of somebody's own in VOC's layout, with masks of these values, or colours."""
    for number in range(3):
        labels = np.array(values, np.uint8)[np.indices((16, 24)).sum(0) % len(values)]
        save(np.zeros((16, 24, 3), np.uint8), root / f"JPEGImages/crack {number}.jpg")
        save(labels if palette is None else palette[labels], root / f"SegmentationClass/crack {number}.png")


@pytest.mark.parametrize(
    ("values", "classes", "said"),
    [
        ((0, 1, 2, 255), ("class 0", "class 1", "class 2"), "hold the labels 0, 1, 2, not those of VOC, so these are"),
        ((0, *range(2, 24)), tuple(f"class {label}" for label in range(24)), "22, 23, not those of VOC"),
        ((0, 15), known_labels("voc").classes, "the labels 0, 15 are taken for VOC's (background, person); if they"),
    ],
)
def test_own_classes_in_the_layout_of_voc(
    tmp_path: Path, values: Sequence[int], classes: tuple[str, ...], said: str
) -> None:
    own_voc(tmp_path / "in", values)
    summary, folder = bring("voc", tmp_path / "in")
    assert folder.labels.classes == classes
    assert said in summary.remarks[0]
    assert set(np.unique(labels_of(folder, "train/crack 0"))) == {*values}


def test_masks_of_0_and_255_in_the_layout_of_voc_are_no_single_class(tmp_path: Path) -> None:
    own_voc(tmp_path / "in", (0, 255))
    with pytest.raises(SegNextError, match=r"hold nothing but 0 and 255, the ignore label; .* use --from binary"):
        bring("voc", tmp_path / "in")


def test_a_class_list_beside_masks_in_the_layout_of_voc(tmp_path: Path) -> None:
    """As CVAT exports it: the masks are drawn in the list's colours."""
    colors = np.array([(0, 0, 0), (250, 50, 83), (61, 61, 245)], np.uint8)
    own_voc(tmp_path / "in", (0, 1, 2), colors)
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncrack:250,50,83::\nspall:61,61,245::\n"
    (tmp_path / "in/labelmap.txt").write_text(text)
    summary, folder = bring("voc", tmp_path / "in")
    assert summary.imported == 3
    assert folder.labels.classes == ("background", "crack", "spall")
    assert summary.remarks[0].startswith(f"the classes are those of {tmp_path / 'in/labelmap.txt'}")
    assert labels_of(folder, "train/crack 2")[0, :3].tolist() == [0, 1, 2]


def test_ade20k(tmp_path: Path) -> None:
    truth = {}
    for seed, split in enumerate(["training", "validation"]):
        image, labels = draw_scene(seed, 64, 96)
        labels[3] = 255
        save(image, tmp_path / f"in/images/{split}/ADE_{seed}.jpg")
        save(labels + np.uint8(1), tmp_path / f"in/annotations/{split}/ADE_{seed}.png")  # 255 + 1 is 0
        truth[split] = labels
    summary, folder = bring("ade20k", tmp_path / "in")
    assert summary.splits() == {"train": 1, "val": 1}
    np.testing.assert_array_equal(labels_of(folder, "train/ADE_0"), truth["training"])
    np.testing.assert_array_equal(labels_of(folder, "val/ADE_1"), truth["validation"])
    assert len(folder.labels) == 150


def test_a_folder_that_is_not_voc_is_named(tmp_path: Path) -> None:
    save(np.zeros((4, 4, 3), np.uint8), tmp_path / "crack/images/a.png")
    with pytest.raises(
        SegNextError, match=r"crack: there is no folder JPEGImages in it, .*; to know the format: segnext data check"
    ):
        bring("voc", tmp_path / "crack")
