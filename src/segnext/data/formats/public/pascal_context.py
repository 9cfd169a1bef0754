"""Pascal Context (Mottaghi et al., 2014) in the 59 frequent classes, on the pictures of VOC2010.

Its authors publish trainval/*.mat, with 459 classes. The PNGs that are usually made of trainval_merged.json are read
too: 0 is background, 1 to 59 are the classes in alphabetical order.
"""

from functools import partial
from pathlib import Path

from segnext.data.coding import Coding, by_value
from segnext.data.formats.public.layout import Layout, find_root
from segnext.data.formats.public.matlab import read_matrix
from segnext.data.formats.public.voc import pairs_of_list
from segnext.data.known import known_labels
from segnext.data.masks import Codes

PICTURES, MATRICES = "SegmentationClassContext", "trainval"
LISTS = ("ImageSets/SegmentationContext", "ImageSets/Main")  # the second are VOC2010's own: 4,998 and 5,105 names
EXPECTED = (
    f"JPEGImages/*.jpg, {MATRICES}/*.mat or {PICTURES}/*.png (values 0 to 59), and {LISTS[0]}/train.txt, val.txt or "
    "those of VOC2010's ImageSets/Main"
)
INSIDE = ("VOC2010", "VOCdevkit/VOC2010")

# Of the 459 classes, numbered in alphabetical order from 1, the 59 frequent ones; all others are background.
FREQUENT = (
    "2 9 18 19 22 23 25 31 33 34 44 45 46 59 65 68 72 80 85 98 104 105 113 115 144 158 159 162 187 189 207 220 232 258 "
    "259 260 284 295 296 308 324 326 347 349 354 355 360 366 368 397 415 416 420 424 427 440 445 454 458"
)
LAST_ID = 459


def open_layout(path: Path) -> Layout:
    """59 classes: the background is ignored."""
    labels = known_labels("pascal_context")
    return _layout(path, "pascal_context", [labels.ignore, *range(len(labels))])


def open_layout_60(path: Path) -> Layout:
    """60 classes: the background is one of them."""
    return _layout(path, "pascal_context_60", list(range(60)))


def _layout(path: Path, name: str, targets: list[int]) -> Layout:
    """Background becomes `targets[0]`, the i-th of the 59 classes `targets[i]`."""
    root = find_root(path, "Pascal Context", EXPECTED, [PICTURES, MATRICES], INSIDE)
    labels = known_labels(name)
    if (root / PICTURES).is_dir():
        masks, suffix = PICTURES, ".png"
        coding = by_value("Pascal Context", {**dict(enumerate(targets)), 255: labels.ignore})
    else:
        masks, suffix = MATRICES, ".mat"
        frequent = map(int, FREQUENT.split())
        values = dict.fromkeys(range(LAST_ID + 1), targets[0]) | dict(zip(frequent, targets[1:], strict=True))
        coding = Coding("Pascal Context", _read, tuple(values.items()))
    found = {}
    for split in ("train", "val"):
        lists = [file for folder in LISTS if (file := root / folder / f"{split}.txt").is_file()]
        if lists:
            found[split] = partial(pairs_of_list, root, lists[0], masks, coding, suffix)
    return Layout(path, labels, found)


def _read(mask: Path) -> Codes:
    return read_matrix(mask, "LabelMap").astype("int32")
