"""Cityscapes (Cordts et al., 2016): leftImg8bit/SPLIT/CITY/*_leftImg8bit.png, gtFine/SPLIT/CITY/*_labelIds.png."""

import re
from collections import defaultdict
from functools import partial
from pathlib import Path

from segnext.data.coding import by_value
from segnext.data.folder import Pair
from segnext.data.formats.public.layout import Layout, find_root, paired
from segnext.data.known import known_labels
from segnext.data.names import split_of
from segnext.errors import SegNextError
from segnext.files import walk

# id -> train id, the public table of the cityscapesScripts; all other ids are ignored.
IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LAST_ID = 33
TRAIN_IDS = dict(zip(IDS, range(19), strict=True))

LABELS = known_labels("cityscapes")
BY_ID = by_value("Cityscapes", {value: TRAIN_IDS.get(value, LABELS.ignore) for value in (*range(LAST_ID + 1), 255)})
BY_TRAIN_ID = by_value("Cityscapes", {value: value for value in (*range(len(LABELS)), LABELS.ignore)})
EXPECTED = "leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and gtFine/SPLIT/CITY/*_gtFine_labelIds.png"
IMAGE = "_leftImg8bit"
# The best kind of mask comes last.
KINDS = ("gtCoarse_labelIds", "gtCoarse_labelTrainIds", "gtFine_labelIds", "gtFine_labelTrainIds")
_MASK = re.compile(rf"(.+)_({'|'.join(KINDS)})")
KITTI = "training/image_2/*.png and training/semantic/*.png"


def open_layout(path: Path) -> Layout:
    """Frames and masks by name, wherever they lie; ids become the 19 train ids, the others are ignored.

    Fine masks go before coarse ones, which `train_extra` has alone. Those of `test` are not public: in the masks of
    the download all pixels are ignored.
    """
    find_root(path, "Cityscapes", EXPECTED, ["."])
    images: dict[str, Path] = {}
    masks: dict[str, tuple[int, Path]] = {}
    for file in walk(path):
        if file.suffix.lower() not in (".png", ".jpg"):
            continue
        if file.stem.endswith(IMAGE):
            images[file.stem.removesuffix(IMAGE)] = file
        elif match := _MASK.fullmatch(file.stem):
            frame, rank = match[1], KINDS.index(match[2])
            masks[frame] = max(masks.get(frame, (-1, file)), (rank, file))
    if not images.keys() & masks.keys():
        raise SegNextError(
            f"{path}: is not laid out as Cityscapes; expected in it: {EXPECTED} ({len(images)} and {len(masks)} files "
            "of such names were found, but none of the same frame)"
        )
    found: dict[str, list[Pair]] = defaultdict(list)
    for frame, image in sorted(images.items(), key=lambda entry: entry[1]):
        missing = image.with_name(f"{frame}_gtFine_labelIds.png")
        mask = masks[frame][1] if frame in masks else missing
        coding = BY_TRAIN_ID if mask.stem.endswith("labelTrainIds") else BY_ID
        found[_split(image.relative_to(path).parent)].append(Pair(image, mask, coding))
    order = ("train", "val", "test", "train_extra")
    return Layout(path, LABELS, {split: partial(list, found[split]) for split in order if split in found})


def _split(folder: Path) -> str:
    """The split that the folders say; train where they say none."""
    words = [word for part in folder.parts for word in (part, part.split("_")[0])]
    return next((found for word in words if (found := word if word == "train_extra" else split_of(word))), "train")


def open_kitti(path: Path) -> Layout:
    """KITTI's semantic masks (Alhaija et al., 2018) have the same ids; those of its test pictures are not public."""
    root = find_root(path, "KITTI", KITTI, ["training/semantic"], ["data_semantics"])
    folders = (root / "training/image_2", root / "training/semantic")
    return Layout(path, LABELS, {"train": partial(paired, *folders, BY_ID)})
