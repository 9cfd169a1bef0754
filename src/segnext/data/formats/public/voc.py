"""Pascal VOC 2012 (Everingham et al.), and its augmentation by SBD (Hariharan et al., 2011)."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.data.coding import Coding
from segnext.data.folder import Pair
from segnext.data.formats.public.layout import Layout, find_root, read_names
from segnext.data.formats.public.matlab import read_matrix
from segnext.data.known import known_labels, labels_for_count
from segnext.data.masks import Codes, PairError, is_indexed, pack, read_colors, read_values
from segnext.errors import SegNextError
from segnext.labels import Labels

IMAGES, MASKS = "JPEGImages", "SegmentationClass"
EXPECTED = "JPEGImages/*.jpg, SegmentationClass/*.png and ImageSets/Segmentation/train.txt, val.txt"
INSIDE = ("VOC2012", "VOCdevkit/VOC2012")
LISTS, AUGMENTED = "ImageSets/Segmentation", "SegmentationClassAug"
SBD = "benchmark_RELEASE/dataset/cls"  # as its archive unpacks

# The VOC colour of each label; 255 is the objects' border.
_COLORS = pack(np.array(labels_for_count(256).colors))


def open_layout(path: Path) -> Layout:
    """VOC2012, or a folder it lies in; masks are palette PNGs, or RGB in the same colours, with 255 to ignore.

    `train_aug` is `train` with VOC's masks and, with SBD's, all of its pictures that are not in `val`: 10,582. SBD's
    masks are its own .mat files, in benchmark_RELEASE beside VOC2012 or in it, or the PNGs that are often made of them,
    in SegmentationClassAug.
    """
    root = find_root(path, "Pascal VOC 2012", EXPECTED, [MASKS, AUGMENTED], INSIDE)
    labels = known_labels("voc")
    values = ((label, label) for label in range(len(labels)))
    coding = Coding("Pascal VOC 2012", _read, (*values, (255, labels.ignore)))
    found = {
        split: partial(pairs_of_list, root, root / LISTS / f"{split}.txt", MASKS, coding)
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


def read_labels(path: Path, colors: NDArray[np.int32] = _COLORS) -> NDArray[np.int32]:
    """Labels of a mask, H x W, from its palette indices or from its colours.

    Args:
        path: of the mask.
        colors: of each of 256 labels, 0xRRGGBB; VOC's unless they are others.

    Raises:
        PairError: when it is unreadable or holds other colours.
    """
    if is_indexed(path):
        return read_values(path)
    codes, _ = read_colors(path)
    order = np.argsort(colors)
    positions = np.searchsorted(colors, codes, sorter=order).clip(0, 255)
    labels: NDArray[np.int32] = order[positions].astype(np.int32)
    if (wrong := colors[labels] != codes).any():
        raise PairError(
            "foreign colour",
            f"{path}: holds #{int(codes[wrong][0]):06x} and others in {np.count_nonzero(wrong):,} pixels, which the "
            "palette of the classes does not have; import it by --from colors",
        )
    return labels


def palette_of(labels: Labels) -> NDArray[np.int32]:
    """The colour of each label for `read_labels`: the classes' own, and VOC's where no class has that."""
    colors = _COLORS.copy()
    colors[: len(labels)] = pack(np.array(labels.colors))
    colors[len(labels) :][np.isin(colors[len(labels) :], colors[: len(labels)])] = -1
    return colors


def pairs_of_list(root: Path, file: Path, masks: str, coding: Coding, suffix: str = ".png") -> list[Pair]:
    """The pictures that a list names, in JPEGImages, with their masks in the folder `masks`."""
    names = sorted(set(read_names(file)))
    images = root / IMAGES
    return [Pair(images / f"{name}.jpg", root / masks / f"{name}{suffix}", coding) for name in names]


def _has_test(root: Path) -> bool:
    """Whether the masks of the test pictures, which are not public, are there."""
    names = read_names(root / LISTS / "test.txt")
    return bool(names) and (root / MASKS / f"{names[0]}.png").is_file()


def _augmented(root: Path, added: Path, coding: Coding) -> list[Pair]:
    """`train`, and every picture with a mask in `added` that is not in `val`."""
    train, val = root / LISTS / "train.txt", root / LISTS / "val.txt"
    for file in (train, val):
        if not file.is_file():
            raise SegNextError(
                f"{file}: is missing; train_aug is made of the pictures of train.txt without those of val.txt"
            )
    masks = {file.stem: file for file in added.iterdir() if file.suffix in (".png", ".mat")}
    own = [root / MASKS / f"{name}.png" for name in read_names(train)]
    masks |= {file.stem: file for file in own if file.stem not in masks or file.is_file()}
    names = sorted(masks.keys() - set(read_names(val)))
    return [Pair(root / IMAGES / f"{name}.jpg", masks[name], coding) for name in names]
