"""Colour, binary and label masks: drawn scenes written in the foreign format come back label for label."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import draw_scene

from segnext.data.curate.init import init_dataset
from segnext.data.folder import Folder, read_mask
from segnext.data.formats.journal import ImportSummary
from segnext.data.formats.options import Options
from segnext.data.formats.run import import_dataset
from segnext.data.known import known_labels
from segnext.errors import SegNextError

Array = NDArray[np.uint8]
COLORS = np.array(known_labels("camvid").colors, np.uint8)


def save(array: Array, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, quality=60, subsampling=0)  # as a JPEG


def bring(kind: str, source: Path, **options: object) -> tuple[ImportSummary, Folder]:
    out = source.parent / "out"
    summary = import_dataset(kind, out, Options(source, **options))  # type: ignore[arg-type]
    return summary, Folder.open(out)


def labels_of(folder: Folder, name: str) -> Array:
    return read_mask(folder.path / "masks" / f"{name}.png", folder.labels)


def test_rgb_rgba_and_palette_masks_in_one_folder(tmp_path: Path) -> None:
    scenes = [draw_scene(seed, 64, 96) for seed in range(3)]
    for number, (image, _) in enumerate(scenes):
        save(image, tmp_path / f"in/Tile {number}/images/a.png")
    save(COLORS[scenes[0][1]], tmp_path / "in/Tile 0/masks/a.png")
    rgba = np.dstack([COLORS[scenes[1][1]], np.full((64, 96), 255, np.uint8)])
    rgba[:5, :7, 3] = 0
    save(rgba, tmp_path / "in/Tile 1/masks/a.png")
    palette = Image.fromarray(10 - scenes[2][1])  # another order of the same colours
    palette.putpalette(COLORS[::-1].tobytes())
    (tmp_path / "in/Tile 2/masks").mkdir()
    palette.save(tmp_path / "in/Tile 2/masks/a.png")
    summary, folder = bring("colors", tmp_path / "in", like="camvid")
    assert (summary.imported, summary.failed, summary.splits()) == (3, 0, {"train": 3})
    assert summary.notes() == {"transparent pixels ignored": (35, 1)}
    expected = [labels.copy() for _, labels in scenes]
    expected[1][:5, :7] = 11
    for number in range(3):
        np.testing.assert_array_equal(labels_of(folder, f"train/Tile {number}/a"), expected[number])
        source = tmp_path / f"in/Tile {number}/images/a.png"
        assert (folder.path / f"images/train/Tile {number}/a.png").read_bytes() == source.read_bytes()
    with Image.open(folder.path / "masks/train/Tile 0/a.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette("RGB")[:33] == COLORS.ravel().tolist()  # type: ignore[index]
    assert (folder.path / "masks/train/Tile 0/a.png").read_bytes()[24] == 8  # bits per pixel


def test_a_foreign_colour_is_named_ignored_or_taken_for_the_nearest(tmp_path: Path) -> None:
    image, labels = draw_scene(1, 64, 96)
    for name in ("a", "b"):
        save(image, tmp_path / f"in/images/{name}.png")
        save(COLORS[labels], tmp_path / f"in/masks/{name}.png")
    stray = COLORS[labels].copy()
    stray[:2, :3] = COLORS[0] + np.uint8(3)  # sky, but for a little
    save(stray, tmp_path / "in/masks/b.png")
    summary, folder = bring("colors", tmp_path / "in", like="camvid")
    assert (summary.imported, summary.failed) == (1, 1)
    record = next(record for record in summary.records if not record.target)
    assert (record.kind, record.source) == ("foreign colour", "images/b.png")
    assert "masks/b.png: holds #838383 in 6 pixels" in record.reason
    assert "up to 5 from the nearest" in record.reason  # sqrt(27) = 5.2
    assert not (folder.path / "masks/train/b.png").exists()
    for options, note, value in (
        ({"tolerance": 6.0}, "pixels taken for the nearest colour", 0),
        ({"others": "ignore"}, "pixels of foreign colours ignored", 11),
        ({"ignore_colors": ((131, 131, 131),)}, None, 11),
    ):
        out = tmp_path / f"out-{value}-{note}"
        summary = import_dataset("colors", out, Options(tmp_path / "in", like="camvid", **options))
        assert summary.notes() == ({note: (6, 1)} if note else {})
        expected = labels.copy()
        expected[:2, :3] = value
        np.testing.assert_array_equal(labels_of(Folder.open(out), "train/b"), expected)


def test_classes_derived_from_colours_are_named_after_them(tmp_path: Path) -> None:
    mask = np.zeros((20, 60, 3), np.uint8)
    mask[:, 30:] = (255, 0, 16)
    mask[0, 0] = (9, 9, 9)
    save(mask, tmp_path / "in/a/gt/1.png")
    save(mask, tmp_path / "in/a/img/1.png")
    summary, folder = bring("colors", tmp_path / "in")
    assert folder.labels.classes == ("#000000", "#090909", "#ff0010")
    assert folder.labels.colors[2] == (255, 0, 16)
    assert any("#090909 (1 pixels" in remark for remark in summary.remarks)
    expected = np.zeros((20, 60), np.uint8)
    expected[:, 30:], expected[0, 0] = 2, 1
    np.testing.assert_array_equal(labels_of(folder, "train/a/1"), expected)


@pytest.mark.parametrize("suffix", ["csv", "yaml"])
def test_several_colours_of_one_class(tmp_path: Path, suffix: str) -> None:
    truth = np.zeros((6, 8), np.uint8)
    truth[2:4, 1:5] = 1
    red = np.zeros((6, 8, 3), np.uint8)
    red[truth == 1] = (255, 0, 0)
    for name, mask in {"red": red, "grey": truth * np.uint8(255)}.items():
        save(red, tmp_path / f"in/images/{name}.png")
        save(mask, tmp_path / f"in/masks/{name}.png")
    names = {
        "csv": "name,r,g,b\nground,0,0,0\ncrack,255,0,0\ncrack,255,255,255\ncrack,255,0,0\n",
        "yaml": "classes: [{name: ground, color: [0, 0, 0]}, {name: crack, color: [255, 0, 0]}, "
        "{name: crack, color: [255, 255, 255]}]\n",
    }
    classes = tmp_path / f"list.{suffix}"
    classes.write_text(names[suffix])
    summary, folder = bring("colors", tmp_path / "in", classes=str(classes))
    assert (summary.imported, summary.failed) == (2, 0)
    assert (folder.labels.classes, folder.labels.colors) == (("ground", "crack"), ((0, 0, 0), (255, 0, 0)))
    for name in ("red", "grey"):
        np.testing.assert_array_equal(labels_of(folder, f"train/{name}"), truth)
    classes.write_text(names[suffix].replace("255, 255, 255", "255, 255, 0").replace("255,255,255", "255,255,0"))
    with pytest.raises(SegNextError, match="other settings"):
        bring("colors", tmp_path / "in", classes=str(classes))
    classes.write_text(names[suffix].replace("255, 255, 255", "0, 0, 0").replace("255,255,255", "0,0,0"))
    with pytest.raises(SegNextError, match="class 'crack' and class 'ground' share the colour #000000"):
        bring("colors", tmp_path / "in", classes=str(classes))
    with pytest.raises(SegNextError, match="unique"):
        bring("labels", tmp_path / "in", classes=str(classes))


def test_jpeg_colour_masks_need_a_tolerance(tmp_path: Path) -> None:
    image, _ = draw_scene(2, 64, 96)
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[:, 48:] = (250, 40, 40)  # the border of the JPEG's blocks: no ringing
    save(image, tmp_path / "in/images/a.png")
    save(mask, tmp_path / "in/masks/a.jpg")
    _, folder = bring("colors", tmp_path / "in", tolerance=40.0)
    assert len(folder.labels) == 2
    np.testing.assert_array_equal(labels_of(folder, "train/a"), mask[..., 0] > 0)


def test_photos_as_masks_are_refused(tmp_path: Path) -> None:
    image, _ = draw_scene(2, 64, 96)
    save(image, tmp_path / "in/images/a.png")
    save(image, tmp_path / "in/masks/a.png")
    with pytest.raises(SegNextError, match="too many for classes"):
        bring("colors", tmp_path / "in")


def test_two_classes_of_one_colour_are_refused(tmp_path: Path) -> None:
    save(np.zeros((8, 8, 3), np.uint8), tmp_path / "in/images/a.png")
    save(np.zeros((8, 8, 3), np.uint8), tmp_path / "in/masks/a.png")
    with pytest.raises(SegNextError, match=r"share the colour #8c8c8c"):
        bring("colors", tmp_path / "in", like="ade20k")


def test_binary_masks(tmp_path: Path) -> None:
    image, labels = draw_scene(3, 64, 96)
    truth = (labels == 3).astype(np.uint8)
    grey = truth * np.uint8(255)
    grey[0, :4] = (0, 100, 128, 255)
    save(image, tmp_path / "in/x.png")
    save(grey, tmp_path / "in/x_mask.png")
    summary, folder = bring("binary", tmp_path / "in", names=("other", "road"))
    assert folder.labels.classes == ("other", "road")
    assert summary.notes() == {"pixels between black and white divided by the threshold": (2, 1)}
    expected = truth.copy()
    expected[0, :4] = (0, 0, 1, 1)
    np.testing.assert_array_equal(labels_of(folder, "train/x"), expected)
    out = tmp_path / "ignoring"
    summary = import_dataset("binary", out, Options(tmp_path / "in", others="ignore", tolerance=127))
    assert summary.notes() == {}  # 100 is within 127 of 0, 128 of 255
    out = tmp_path / "ignoring more"
    summary = import_dataset("binary", out, Options(tmp_path / "in", others="ignore", tolerance=120))
    assert summary.notes() == {"pixels between black and white ignored": (1, 1)}
    expected[0, :4] = (0, 0, 255, 1)
    np.testing.assert_array_equal(labels_of(Folder.open(out), "train/x"), expected)


def test_masks_of_0_and_1_are_no_binary_masks(tmp_path: Path) -> None:
    image, labels = draw_scene(3, 64, 96)
    save(image, tmp_path / "in/images/x.png")
    save((labels == 3).astype(np.uint8), tmp_path / "in/masks/x.png")
    summary = import_dataset("binary", tmp_path / "out", Options(tmp_path / "in"))
    assert summary.imported == 0
    assert [record.kind for record in summary.records] == ["0 and 1"]
    assert not (tmp_path / "out/dataset.yaml").exists()
    _, folder = bring("labels", tmp_path / "in")  # a folder into which nothing was imported is free
    np.testing.assert_array_equal(labels_of(folder, "train/x"), labels == 3)


@pytest.mark.parametrize(
    ("written", "options"),
    [
        (lambda labels: labels + 1, {"offset": -1}),
        (lambda labels: labels * 20 + 7, {"mapping": tuple((7 + 20 * label, label) for label in range(11))}),
        (lambda labels: labels.astype(np.uint16) * 300, {"mapping": tuple((300 * n, n) for n in range(11))}),
        (lambda labels: np.dstack([labels] * 3), {}),
    ],
)
def test_label_masks(tmp_path: Path, written: object, options: dict[str, object]) -> None:
    image, labels = draw_scene(4, 64, 96)
    save(image, tmp_path / "in/train/images/x.png")
    save(written(labels), tmp_path / "in/train/labels/x.png")  # type: ignore[operator]
    save(image, tmp_path / "in/validation/images/x.png")
    save(written(labels[::-1]), tmp_path / "in/validation/labels/x.png")  # type: ignore[operator]
    summary, folder = bring("labels", tmp_path / "in", like="camvid", **options)
    assert summary.splits() == {"train": 1, "val": 1}
    np.testing.assert_array_equal(labels_of(folder, "train/x"), labels)
    np.testing.assert_array_equal(labels_of(folder, "val/x"), labels[::-1])


def test_label_masks_with_zero_for_nothing_and_labels_of_no_class(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 2], [3, 255, 9]], np.uint8)
    save(mask, tmp_path / "in/images/x.png")
    save(mask, tmp_path / "in/masks/x.png")
    source = tmp_path / "in"
    _, folder = bring("labels", source, offset=-1, names=tuple("abcdefghi"))
    assert labels_of(folder, "train/x").tolist() == [[255, 0, 1], [2, 255, 8]]
    summary = import_dataset("labels", tmp_path / "two", Options(source, names=("a", "b", "c", "d")))
    assert "holds label 9 in 1 pixels, which is none of the 4 classes" in summary.records[0].reason
    mapping = ((9, 0), (None, 255))
    import_dataset("labels", tmp_path / "three", Options(source, names=("a", "b"), mapping=mapping))
    assert labels_of(Folder.open(tmp_path / "three"), "train/x").tolist() == [[255, 255, 255], [255, 255, 0]]
    summary = import_dataset("labels", tmp_path / "four", Options(source))
    assert Folder.open(tmp_path / "four").labels.classes[-1] == "class 9"
    assert "labels that no mask holds: 4, 5, 6, 7, 8" in summary.remarks


def test_class_lists_come_from_a_file(tmp_path: Path) -> None:
    image, labels = draw_scene(4, 64, 96)
    save(image, tmp_path / "in/images/x.png")
    save(COLORS[labels], tmp_path / "in/masks/x.png")
    (tmp_path / "classes").mkdir()
    init_dataset(tmp_path / "classes", "camvid")
    _, folder = bring("colors", tmp_path / "in", classes=str(tmp_path / "classes"))
    assert folder.labels == known_labels("camvid")
    with pytest.raises(SegNextError, match="give one of them"):
        bring("colors", tmp_path / "in", classes="derive", like="camvid")
    with pytest.raises(SegNextError, match="cannot be read"):
        bring("colors", tmp_path / "in", classes=str(tmp_path / "nothing.yaml"))
