"""Pascal VOC 2012 (Everingham et al.), and its augmentation by SBD (Hariharan et al., 2011)."""

from functools import partial
from pathlib import Path

from segnext.data.coding import Coding
from segnext.data.folder import Pair
from segnext.data.formats.public.layout import Layout, complete, find_root, read_names
from segnext.data.formats.public.matlab import read_matrix
from segnext.data.formats.voc import read_labels
from segnext.data.known import known_labels
from segnext.data.masks import Codes
from segnext.errors import SegNextError

EXPECTED = "JPEGImages/*.jpg, SegmentationClass/*.png and ImageSets/Segmentation/train.txt, val.txt"
INSIDE = ("VOC2012", "VOCdevkit/VOC2012")
LISTS, AUGMENTED = "ImageSets/Segmentation", "SegmentationClassAug"
SBD = "benchmark_RELEASE/dataset/cls"  # as its archive unpacks


def open_layout(path: Path) -> Layout:
    """VOC2012, or a folder it lies in; masks are palette PNGs, or RGB in the same colours, with 255 to ignore.

    `train_aug` is `train` with VOC's masks and, with SBD's, all of its pictures that are not in `val`: 10,582. SBD's
    masks are its own .mat files, in benchmark_RELEASE beside VOC2012 or in it, or the PNGs that are often made of them,
    in SegmentationClassAug.
    """
    root = find_root(path, "Pascal VOC 2012", EXPECTED, ["SegmentationClass", AUGMENTED], INSIDE)
    labels = known_labels("voc")
    values = ((label, label) for label in range(len(labels)))
    coding = Coding("Pascal VOC 2012", _read, (*values, (255, labels.ignore)))
    found = {
        split: partial(pairs_of_list, root, root / LISTS / f"{split}.txt", "SegmentationClass", coding)
        for split in ("train", "val", "trainval", "test")
        if (root / LISTS / f"{split}.txt").is_file() and (split != "test" or _has_test(root))
    }
    for added in (root / AUGMENTED, root / SBD, path / SBD):
        if added.is_dir():
            found["train_aug"] = partial(_augmented, root, added, coding)
            break
    return Layout(path, labels, found)


def _read(mask: Path) -> Codes:
    """Labels of VOC's pictures, or of SBD's .mat files."""
    return read_matrix(mask, "GTcls", "Segmentation").astype("int32") if mask.suffix == ".mat" else read_labels(mask)


def pairs_of_list(root: Path, file: Path, masks: str, coding: Coding, suffix: str = ".png") -> list[Pair]:
    """The pictures that a list names, in JPEGImages, with their masks in the folder `masks`."""
    names = sorted(set(read_names(file)))
    images = root / "JPEGImages"
    return complete([Pair(images / f"{name}.jpg", root / masks / f"{name}{suffix}", coding) for name in names])


def _has_test(root: Path) -> bool:
    """Whether the masks of the test pictures, which are not public, are there."""
    names = read_names(root / LISTS / "test.txt")
    return bool(names) and (root / "SegmentationClass" / f"{names[0]}.png").is_file()


def _augmented(root: Path, added: Path, coding: Coding) -> list[Pair]:
    """`train`, and every picture with a mask in `added` that is not in `val`."""
    train, val = root / LISTS / "train.txt", root / LISTS / "val.txt"
    for file in (train, val):
        if not file.is_file():
            raise SegNextError(
                f"{file}: is missing; train_aug is made of the pictures of train.txt without those of val.txt"
            )
    masks = {file.stem: file for file in added.iterdir() if file.suffix in (".png", ".mat")}
    own = [root / "SegmentationClass" / f"{name}.png" for name in read_names(train)]
    masks |= {file.stem: file for file in own if file.stem not in masks or file.is_file()}
    names = sorted(masks.keys() - set(read_names(val)))
    return complete([Pair(root / "JPEGImages" / f"{name}.jpg", masks[name], coding) for name in names])
