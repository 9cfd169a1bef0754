"""Tiny copies of the original layouts of public data sets, drawn here."""

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image

HEIGHT, WIDTH = 4, 6
Draw = Callable[[Path], None]


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", size, (40, 90, 160)).save(path)


def values(path: Path, *row: int, palette: bool = False) -> None:
    """A mask whose columns have these values, HEIGHT x len(row)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = PIL.Image.fromarray(np.tile(np.array(row, np.uint8), (HEIGHT, 1)))
    if palette:
        mask.putpalette([level for value in range(256) for level in (value, 255 - value, value)])
    mask.save(path)


def colors(path: Path, *row: tuple[int, int, int]) -> None:
    """A mask whose columns have these colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.tile(np.array(row, np.uint8), (HEIGHT, 1, 1))).save(path)


def element(kind: int, content: bytes, order: str = "<") -> bytes:
    """An element of a MATLAB file: type, size, content, filled up to eight bytes; four fit into the size's place."""
    if len(content) <= 4:
        return struct.pack(f"{order}I", len(content) << 16 | kind) + content.ljust(4, b"\0")
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(name: str, rows: Sequence[Sequence[int]], kind: str = "u1", order: str = "<") -> bytes:
    """A matrix of whole numbers, written column by column."""
    kinds = {"u1": (9, 2), "u2": (11, 4), "f8": (6, 9)}  # of the matrix, and of what is stored
    array = np.array(rows).astype(order + kind)
    content = element(6, struct.pack(f"{order}II", kinds[kind][0], 0), order)
    content += element(5, struct.pack(f"{order}2i", *array.shape), order)
    content += element(1, name.encode(), order) + element(kinds[kind][1], array.tobytes("F"), order)
    return element(14, content, order)


def structure(name: str, fields: dict[str, bytes], order: str = "<") -> bytes:
    """A structure of matrices without names."""
    content = element(6, struct.pack(f"{order}II", 2, 0), order) + element(5, struct.pack(f"{order}2i", 1, 1), order)
    content += element(1, name.encode(), order) + element(5, struct.pack(f"{order}i", 32), order)
    names = b"".join(field.encode().ljust(32, b"\0") for field in fields)
    return element(14, content + element(1, names, order) + b"".join(fields.values()), order)


def matlab(path: Path, *variables: bytes, order: str = "<", compressed: bool = True) -> None:
    """A MATLAB file of version 5, or of version 7 where it is compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"MATLAB 5.0 MAT-file, drawn".ljust(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)
    for variable in variables:
        packed = zlib.compress(variable)
        content += struct.pack(f"{order}II", 15, len(packed)) + packed if compressed else variable
    path.write_bytes(content)


def sbd(root: Path) -> None:
    """Labels of pictures of VOC as SBD has them: of train, of val, and of one more."""
    for name in ("2007_000032", "2007_000033", "2008_000002"):
        rows = [[0, 0, 7, 7, 20, 0]] * HEIGHT
        fields = {"Boundaries": matrix("", rows, "f8"), "Segmentation": matrix("", rows)}
        matlab(root / f"benchmark_RELEASE/dataset/cls/{name}.mat", structure("GTcls", fields))


def ade20k(root: Path) -> None:
    for folder, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        picture(root / f"ADEChallengeData2016/images/{folder}/{name}.jpg")
        values(root / f"ADEChallengeData2016/annotations/{folder}/{name}.png", 0, 1, 2, 12, 149, 150)


def cityscapes(root: Path) -> None:
    for split, city in (("train", "aachen"), ("val", "lindau")):
        name = f"{city}_000000_000019"
        picture(root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png")
        values(root / f"gtFine/{split}/{city}/{name}_gtFine_labelIds.png", 0, 7, 8, 16, 33, 3)
        colors(root / f"gtFine/{split}/{city}/{name}_gtFine_color.png", *[(128, 64, 128)] * WIDTH)
    picture(root / "leftImg8bit/train_extra/nice/nice_000000_000001_leftImg8bit.png")
    values(root / "gtCoarse/train_extra/nice/nice_000000_000001_gtCoarse_labelIds.png", 0, 0, 7, 7, 26, 26)


def kitti(root: Path) -> None:
    for name in ("000000_10", "000001_10"):
        picture(root / f"data_semantics/training/image_2/{name}.png")
        values(root / f"data_semantics/training/semantic/{name}.png", 0, 7, 8, 16, 33, 3)
    picture(root / "data_semantics/testing/image_2/000000_10.png")


def coco_stuff(root: Path) -> None:
    for folder in ("train2017", "val2017"):
        picture(root / folder / "000000000009.jpg")
        values(root / f"stuffthingmaps_trainval2017/{folder}/000000000009.png", 0, 10, 12, 91, 181, 255)


def voc(root: Path) -> None:
    base = root / "VOCdevkit/VOC2012"
    lists = {"train": ["2007_000032"], "val": ["2007_000033"], "test": ["2008_000001"]}
    lists["trainval"] = lists["train"] + lists["val"]
    for split, names in lists.items():
        (base / "ImageSets/Segmentation").mkdir(parents=True, exist_ok=True)
        (base / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
    for name in ("2007_000032", "2007_000033", "2008_000001", "2008_000002", "2008_000003"):
        picture(base / f"JPEGImages/{name}.jpg")
    for name in lists["trainval"]:
        values(base / f"SegmentationClass/{name}.png", 0, 1, 15, 20, 255, 255, palette=True)
        values(base / f"SegmentationClassAug/{name}.png", 0, 1, 15, 20, 255, 255)
    values(base / "SegmentationClassAug/2008_000002.png", 0, 0, 7, 7, 7, 0)


def pascal_context(root: Path) -> None:
    base = root / "VOC2010"
    for split, name in (("train", "2008_000002"), ("val", "2008_000003")):
        (base / "ImageSets/SegmentationContext").mkdir(parents=True, exist_ok=True)
        (base / f"ImageSets/SegmentationContext/{split}.txt").write_text(name)
        picture(base / f"JPEGImages/{name}.jpg")
        values(base / f"SegmentationClassContext/{name}.png", 0, 1, 2, 58, 59, 0)


def pascal_context_matrices(root: Path) -> None:
    """As its authors publish it: 459 classes in MATLAB files, in VOC2010 with its lists."""
    base = root / "VOC2010"
    for split, name in (("train", "2008_000002"), ("val", "2008_000003")):
        (base / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
        (base / f"ImageSets/Main/{split}.txt").write_text(name)
        picture(base / f"JPEGImages/{name}.jpg")
        matlab(base / f"trainval/{name}.mat", matrix("LabelMap", [[0, 2, 9, 454, 458, 459]] * HEIGHT, "u2"))


def loveda(root: Path) -> None:
    for split in ("Train", "Val"):
        for number, domain in enumerate(("Urban", "Rural")):
            picture(root / f"{split}/{domain}/images_png/{number}.png")
            values(root / f"{split}/{domain}/masks_png/{number}.png", 0, 1, 2, 3, 7, 7)
    picture(root / "Test/Urban/images_png/9.png")


def camvid(root: Path) -> None:
    """SegNet's form."""
    for split in ("train", "val", "test"):
        picture(root / f"CamVid/{split}/0001TP_{split}.png")
        values(root / f"CamVid/{split}annot/0001TP_{split}.png", 0, 1, 3, 8, 10, 11)


def camvid_originals(root: Path) -> None:
    row = [(0, 0, 0), (128, 128, 128), (0, 128, 64), (128, 0, 192), (192, 128, 192), (192, 0, 192)]
    for name in ("0001TP_008520", "0001TP_008550", "0006R0_f00930", "0016E5_07957", "0016E5_07959", "Seq05VD_f00000"):
        picture(root / f"701_StillsRaw_full/{name}.png")
        colors(root / f"LabeledApproved_full/{name}_L.png", *row)


def isprs(root: Path) -> None:
    row = [(255, 255, 255), (0, 0, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0), (0, 0, 0)]
    for name in ("2_10", "3_13", "6_9"):
        picture(root / f"Potsdam/2_Ortho_RGB/top_potsdam_{name}_RGB.tif")
        if name != "6_9":
            colors(root / f"Potsdam/5_Labels_all/top_potsdam_{name}_label.tif", *row)
    for area in (1, 2):
        picture(root / f"Vaihingen/top/top_mosaic_09cm_area{area}.tif")
        colors(root / f"Vaihingen/gts_for_participants/top_mosaic_09cm_area{area}.tif", *row)


def isaid(root: Path) -> None:
    """A train picture of two tiles in width, with a plane and a ship, and a small val picture, whose mask is apart."""
    image, mask = root / "iSAID/train/images/P0002.png", root / "iSAID/train/images/P0002_instance_color_RGB.png"
    picture(image, (1000, 60))
    painted = np.zeros((60, 1000, 3), np.uint8)
    painted[:10, :50], painted[-5:, -20:] = (0, 127, 255), (0, 0, 63)
    PIL.Image.fromarray(painted).save(mask)
    PIL.Image.fromarray(painted).save(mask.with_name("P0002_instance_id_RGB.png"))
    picture(root / "iSAID/val/images/P0003.png")
    colors(root / "iSAID/val/Semantic_masks/images/P0003_instance_color_RGB.png", *[(0, 0, 127)] * WIDTH)
