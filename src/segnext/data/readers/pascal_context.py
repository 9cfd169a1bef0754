"""Pascal Context (Mottaghi et al., 2014) in the 59 frequent classes, as PNGs in a VOC2010 folder.

The PNGs are those that the usual conversion of trainval_merged.json writes: 0 is background, 1 to 59 are the classes
in alphabetical order. Neither that JSON file nor the 459-class .mat files are read.
"""

from functools import partial
from pathlib import Path

from segnext.data.coding import by_value
from segnext.data.known import known_labels
from segnext.data.readers.layout import Layout, find_root
from segnext.data.readers.voc import pairs_of_list

MASKS, LISTS = "SegmentationClassContext", "ImageSets/SegmentationContext"
EXPECTED = f"JPEGImages/*.jpg, {MASKS}/*.png (values 0 to 59) and {LISTS}/train.txt, val.txt"
INSIDE = ("VOC2010", "VOCdevkit/VOC2010")


def open_layout(path: Path) -> Layout:
    """59 classes: the background is ignored."""
    labels = known_labels("pascal_context")
    values = {value: value - 1 for value in range(1, len(labels) + 1)}
    return _layout(path, "pascal_context", {**values, 0: labels.ignore})


def open_layout_60(path: Path) -> Layout:
    """60 classes: the background is one of them."""
    return _layout(path, "pascal_context_60", {value: value for value in range(60)})


def _layout(path: Path, name: str, values: dict[int, int]) -> Layout:
    root = find_root(path, "Pascal Context", EXPECTED, [MASKS], INSIDE)
    labels = known_labels(name)
    coding = by_value("Pascal Context", {**values, 255: labels.ignore})
    found = {
        split: partial(pairs_of_list, root, root / LISTS / f"{split}.txt", MASKS, coding)
        for split in ("train", "val")
        if (root / LISTS / f"{split}.txt").is_file()
    }
    return Layout(path, labels, found)
