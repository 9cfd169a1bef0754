import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from messy_folder import Folder
from PIL import Image, ImageFile

from segnext.data.doctor.check import QUICK_MASKS, check, quick_check
from segnext.data.doctor.findings import Severity
from segnext.data.doctor.verdict import overview
from segnext.data.folder import Folder as DataSet
from segnext.errors import SegNextError

COLORS = np.array([(0, 128, 0, 255), (128, 64, 128, 255), (128, 0, 0, 255)], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data set ü")


def test_a_clean_folder_has_no_findings(folder: Folder) -> None:
    folder.clean()
    assert folder.found() == {}
    assert quick_check(DataSet.open(folder.root), ["train", "val"]) == []


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match="no such folder"):
        check(tmp_path / "nowhere")


def test_without_a_class_list_it_says_which_to_write(folder: Folder) -> None:
    folder.clean()
    (folder.root / "dataset.yaml").unlink()
    found = folder.found()
    assert found["no-dataset-yaml"].severity is Severity.ERROR
    assert "labels 0-2, 255" in found["labels-without-names"].title
    assert "dataset.yaml: there is none" in overview(check(folder.root))[1]
    (folder.root / "dataset.yaml").write_text("classes: [")
    assert "not valid YAML" in folder.found()["bad-dataset-yaml"].title


def test_partners_and_broken_files(folder: Folder) -> None:
    folder.clean(8)
    images, masks = folder.root / "images/train", folder.root / "masks/train"
    (images / "a0.png").write_bytes((images / "a0.png").read_bytes()[:2000])
    (images / "a1.png").write_bytes(b"")
    (masks / "a2.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (masks / "a3.png").unlink()
    (images / "a4.png").unlink()
    found = folder.found()
    assert {"unreadable-pictures", "unreadable-masks", "images-without-mask", "masks-without-image"} == found.keys()
    assert found["unreadable-pictures"].count == 2
    assert "the file is empty" in found["unreadable-pictures"].files[1]
    assert "git lfs pull" in found["unreadable-masks"].files[0]
    assert found["images-without-mask"].files == ("images/train/a3.png",)
    assert found["masks-without-image"].files == ("masks/train/a4.png",)


def test_names_that_training_would_trip_over(folder: Folder) -> None:
    folder.clean()
    folder.save("images/train/Über uns.JPG", folder.picture())
    folder.save("masks/train/Über uns.PNG", folder.mask())
    folder.save("images/train/a0.bmp", folder.picture())
    shutil.move(folder.root / "masks/val/b0.png", folder.root / "masks/train/b0.png")
    (folder.root / "images/train/Thumbs.db").write_bytes(b"x")
    (folder.root / "images/train/loop").symlink_to(folder.root / "images")
    (folder.root / "images/train/notes.txt").write_text("x")
    found = folder.found()
    assert {"mask-elsewhere", "same-stem", "foreign-files", "rubbish", "link-loop"} == found.keys()
    assert found["foreign-files"].severity is found["rubbish"].severity is Severity.NOTE  # training leaves them out
    assert found["mask-elsewhere"].count == 2
    assert found["same-stem"].files == ("images/train/a0.bmp + images/train/a0.png",)


def test_a_suffix_that_lies(folder: Folder) -> None:
    folder.clean()
    Image.fromarray(folder.picture()).save(folder.root / "images/train/a0.png", format="WEBP")
    found = folder.found()
    assert found.keys() == {"wrong-suffix"}
    assert "1 WEBP in .png" in found["wrong-suffix"].title


def test_sizes(folder: Folder) -> None:
    folder.clean(5)
    for name, height, width in (("a0", 96, 128), ("a1", 64, 48), ("a2", 49, 64), ("a3", 30, 64)):
        folder.save(f"masks/train/{name}.png", folder.mask(height, width))
    finding = folder.found()["sizes-differ"]
    assert finding.count == 4
    for cause in ("1 resized", "1 turned by 90 degrees", "1 off by a pixel or two", "1 of another shape"):
        assert cause in finding.title


def test_exchanged_masks_are_pointed_out(folder: Folder) -> None:
    folder.clean()
    folder.save("images/train/a0.png", folder.picture(60, 70))
    folder.save("masks/train/a1.png", folder.mask(60, 70))
    assert "the masks of a0.png and a1.png fit each other's pictures" in folder.found()["sizes-differ"].why


def test_exif(folder: Folder) -> None:
    folder.clean()
    for name, orientation in (("a0", 6), ("a1", 3)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(folder.picture()).save(folder.root / f"images/train/{name}.png", exif=exif)
    found = folder.found()
    assert found.keys() == {"exif-rotated", "exif-unclear"}
    assert found["exif-rotated"].files == ("images/train/a0.png (orientation 6, mask 64 x 48)",)


def test_kinds_of_pictures(folder: Folder) -> None:
    folder.clean(6)
    picture = folder.picture()
    folder.save("images/train/a0.png", Image.fromarray(picture[..., 0].astype(np.uint16) * 200))
    folder.save("images/train/a1.png", folder.picture()[..., 0].copy())
    folder.save("images/train/a2.png", Image.fromarray(folder.picture()).convert("RGBA"))
    folder.save("images/train/a4.png", np.full_like(picture, 9))
    (folder.root / "images/train/a3.png").unlink()
    (folder.root / "images/train/a3.tif").write_bytes(tiff(64, 48, bands=5))
    found = folder.found()
    assert found.keys() == {"mixed-images", "deep-images", "blank-images", "unnamed-bands"}
    assert found["deep-images"].files == ("images/train/a0.png (1 band of 16 bits)",)
    assert found["unnamed-bands"].files == ("images/train/a3.tif (5 bands of 8 bits)",)
    assert "'bands: [band1, band2, band3, band4, band5]'" in found["unnamed-bands"].fix
    for kind in ("8 RGB", "1 16-bit grey", "1 grey", "1 RGB with alpha", "1 5 bands"):
        assert kind in found["mixed-images"].title


def tiff(width: int, height: int, bands: int) -> bytes:
    """A TIFF of zeros, which Pillow cannot write."""
    values = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: bands, 278: height, 279: width * height * bands}
    start = 8 + 2 + 12 * (len(values) + 1) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted({**values, 273: start}.items()))
    head = b"II*\0" + struct.pack("<IH", 8, len(values) + 1)
    return head + entries + bytes(4) + bytes(width * height * bands)


def test_black_and_white_masks(folder: Folder) -> None:
    folder.classes(2)
    for index in range(4):
        folder.pair(str(index), mask=((folder.mask() == 1) * 255).astype(np.uint8))
    finding = folder.found()["binary-masks"]
    assert finding.severity is Severity.ERROR
    assert finding.count == 4
    assert finding.fix.endswith("DEST --from binary --names grass,road")
    folder.pair("other", mask=(folder.mask() == 1).astype(np.uint8))
    assert "4 masks of 0 and 255 among 1 mask of 0 and 1" in folder.found()["mixed-binary"].title


def test_soft_and_lossy_masks_of_another_layout(folder: Folder) -> None:
    rows, columns = np.mgrid[:200, :300]
    disc = Image.fromarray((((columns - 150) ** 2 + (rows - 100) ** 2 < 4900) * 255).astype(np.uint8))
    for index in range(3):
        folder.save(f"train/image/{index}.jpg", folder.picture(100, 150))
        folder.save(f"train/mask/{index}.png", disc.resize((150, 100), Image.Resampling.BILINEAR))
        folder.save(f"test/image/{index}.jpg", folder.picture(200, 300))
        folder.save(f"test/mask/{index}.jpg", disc)
    found = folder.found()
    assert {"other-layout", "binary-masks", "blurred-masks"} <= found.keys()
    assert found["blurred-masks"].count == 6
    assert "3 of them JPEG" in found["blurred-masks"].title
    assert found["other-layout"].fix == f"segnext data import '{folder.root}' DEST --from binary"


def test_color_masks_and_stray_colors(folder: Folder) -> None:
    folder.classes()
    for index in range(4):
        folder.pair(str(index), mask=COLORS[folder.mask() % 3])
    slip = COLORS[folder.mask() % 3]
    slip[20:24, 5:9] = (0, 126, 2, 255)
    folder.pair("slip", mask=slip)
    found = folder.found()
    assert found["color-masks"].title.startswith("5 RGBA masks of 5 (alpha is opaque everywhere and can go), 4 colours")
    assert "(0,126,2) in 1 mask, near (0,128,0)" in found["stray-colors"].title
    assert found["stray-colors"].files == ("masks/train/slip.png",)
    assert "--ignore-color '#007e02'" in found["stray-colors"].fix


def palette_mask(folder: Folder, order: tuple[int, int, int]) -> Image.Image:
    labels = np.roll(folder.mask(), folder.pairs, axis=0) % 3
    mask = Image.fromarray(np.argsort(order).astype(np.uint8)[labels])
    mask.putpalette(COLORS[list(order), :3].tobytes())
    return mask


def test_one_palette_is_fine(folder: Folder) -> None:
    folder.classes()
    for index in range(3):
        folder.pair(str(index), "val" if index == 2 else "train", palette_mask(folder, (0, 1, 2)))
    assert [(f.code, f.severity) for f in folder.found().values()] == [("palette-masks", Severity.NOTE)]


def test_palettes_whose_colors_count(folder: Folder) -> None:
    folder.classes()
    folder.pair("a", mask=palette_mask(folder, (1, 0, 2)))
    assert "index 0 has the colour of class 1 'road'" in folder.found()["palette-order"].title
    folder.pair("b", mask=palette_mask(folder, (0, 1, 2)))
    folder.pair("c", mask=COLORS[folder.mask() % 3])
    found = folder.found()
    assert "index 0 is (0,128,0), (128,64,128)" in found["palettes-differ"].title
    assert found["mixed-masks"].title == "masks of several kinds: 2 palette, 1 RGB"
    assert "color-masks" in found


def test_dark_16_bit_pictures_are_told_apart(folder: Folder) -> None:
    folder.clean()
    for name in ("images/train/a0.png", "images/train/a1.png", "images/val/b0.png"):
        folder.save(name, Image.fromarray(folder.picture()[..., 0].astype(np.uint16) * 9 + 300))
    assert folder.found().keys() == {"mixed-images", "deep-images"}  # and neither blank nor copies of each other


def test_accents_written_in_two_ways(folder: Folder) -> None:
    folder.clean()
    folder.save("images/train/e\u0301.png", folder.picture())
    folder.save("masks/train/\xe9.png", folder.mask())
    assert "Unicode form" in folder.found()["mask-elsewhere"].files[0]


def test_colors_that_the_list_does_not_know(folder: Folder) -> None:
    folder.clean()
    for split, name in (("train", "a"), ("val", "b")):
        for index in range(4):
            mask = np.array([(9, 9, 0), (0, 99, 9), (255, 0, 9)], np.uint8)[folder.mask() % 3]
            folder.save(f"masks/{split}/{name}{index}.png", mask)
    finding = folder.found()["foreign-colors"]
    assert finding.title == "none of the masks' 3 colours is one of dataset.yaml's"
    assert "--classes" not in finding.fix


def test_blurred_labels_are_not_taken_for_classes(folder: Folder) -> None:
    folder.classes(5)
    for index in range(4):
        wide = Image.fromarray(np.array([0, 5, 2], np.uint8)[folder.mask(96, 128) % 3])
        folder.pair(str(index), mask=wide.resize((64, 48), Image.Resampling.BICUBIC))
    found = folder.found()
    assert "blurred-masks" in found
    assert "mixing two others" in found["labels-outside"].why
    assert "nearest neighbour" in found["labels-outside"].fix


@pytest.mark.parametrize(
    ("values", "classes", "ignore", "code", "fix"),
    [
        ((1, 2, 3), 3, 255, "labels-from-one", "--offset -1"),
        ((0, 1, 255), 2, 11, "wrong-ignore", "set 'ignore: 255'"),
        ((0, 1, 2), 2, 255, "wrong-ignore", "or add the class to the list"),
        ((0, 76, 149), 3, 255, "grey-levels", "--map 0:0,76:1,149:2"),
        ((0, 1, 7), 3, 255, "labels-outside", "--others ignore"),
        ((0, 4, 7), 3, 255, "labels-outside", "add the missing classes"),
    ],
)
def test_labels_against_the_list(
    folder: Folder, values: tuple[int, ...], classes: int, ignore: int, code: str, fix: str
) -> None:
    folder.classes(classes, ignore)
    for index in range(3):
        folder.pair(str(index), mask=np.array(values, np.uint8)[folder.mask() % 3])
    finding = folder.found()[code]
    assert finding.severity is Severity.ERROR
    assert fix in finding.fix
    quick = quick_check(DataSet.open(folder.root), ["train"])
    assert finding in quick


def test_classes_that_are_missing_rare_or_ignored(folder: Folder) -> None:
    folder.clean(4)
    folder.classes(4)
    folder.pair("void", mask=np.full((48, 64), 255, np.uint8))
    spot = folder.mask()
    spot[30, 30] = 3
    folder.pair("spot", "val", mask=spot)
    found = folder.found()
    assert found.keys() == {"missing-classes", "rare-classes", "all-ignored"}
    assert found["missing-classes"].title == "1 class of 4 never in the split 'train': water"
    assert "water (0.0066 % of the pixels, 1 picture)" in found["rare-classes"].title
    assert found["all-ignored"].files == ("masks/train/void.png",)
    assert "segnext data split" in found["rare-classes"].fix  # no setting of the training helps a split to measure on


def test_deep_masks(folder: Folder) -> None:
    folder.clean()
    folder.save("masks/train/a0.png", Image.fromarray(folder.mask().astype(np.uint16)))
    folder.save("masks/train/a1.png", np.stack([folder.mask()] * 3, axis=2))
    found = folder.found()
    assert found.keys() == {"16-bit-masks", "grey-rgb-masks"}


def test_nothing_to_check(folder: Folder) -> None:
    (folder.root / "images").mkdir(parents=True)
    found = folder.found()
    assert found.keys() == {"no-pairs", "empty-folder"}
    folder.save("images/a.jpg", folder.picture())
    (folder.root / "instances.json").write_text('{"images": []}')
    assert folder.found()["annotations"].fix.endswith("DEST --from coco")


def test_the_quick_look_decodes_no_pictures(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.clean(60)
    decoded: list[str] = []
    load = ImageFile.ImageFile.load

    def counted(picture: ImageFile.ImageFile) -> object:
        if picture.fp is not None:  # as it is once decoded
            decoded.append(picture.fp.name)
        return load(picture)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    assert quick_check(DataSet.open(folder.root), ["train", "val"]) == []
    masks = {file for file in decoded if "masks" in Path(file).parts}
    assert masks == set(decoded)
    assert 0 < len(masks) <= 2 * QUICK_MASKS


def test_names_that_are_no_text(folder: Folder) -> None:
    folder.clean()
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    folder.save("images/train/x.png", folder.picture()).rename(folder.root / "images/train" / name)
    finding = folder.found()["images-without-mask"]
    assert finding.to_dict()["files"] == ["images/train/\\udcff.png"]


def test_the_folder_is_left_as_it_is(folder: Folder) -> None:
    folder.clean()
    before = {file: file.stat().st_mtime_ns for file in folder.root.rglob("*")}
    folder.found()
    assert {file: file.stat().st_mtime_ns for file in folder.root.rglob("*")} == before
