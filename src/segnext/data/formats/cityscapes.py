"""Cityscapes (Cordts et al., 2016): leftImg8bit/SPLIT/CITY/*_leftImg8bit.png, gtFine/SPLIT/CITY/*_labelIds.png."""

import re
from pathlib import Path

from segnext.data.formats.labels import IGNORE, LabelReader, mapped
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.source import Item, Problem, Reading, Source
from segnext.data.formats.splits import assign_splits, split_name
from segnext.data.known import known_labels
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet

# id -> train id, the public table of the cityscapesScripts; all other ids are ignored.
IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LAST_ID = 33
TRAIN_IDS = dict(zip(IDS, range(19), strict=True))

# The best kind of mask comes last.
KINDS = ("gtCoarse_labelIds", "gtCoarse_labelTrainIds", "gtFine_labelIds", "gtFine_labelTrainIds")
_MASK = re.compile(rf"(.+)_({'|'.join(KINDS)})")


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Frames with their masks, paired by name wherever they lie; fine masks before coarse ones."""
    images: dict[str, Path] = {}
    masks: dict[str, tuple[int, Path]] = {}
    for file in files_of(options.source):
        if file.stem.endswith("_leftImg8bit"):
            images[file.stem.removesuffix("_leftImg8bit")] = file
        elif file.suffix.lower() == ".png" and (match := _MASK.fullmatch(file.stem)):
            frame, rank = match[1], KINDS.index(match[2])
            masks[frame] = max(masks.get(frame, (-1, file)), (rank, file))
    frames = sorted(images.keys() & masks.keys())
    if not frames:
        raise SegNextError(
            f"{options.source}: {len(images)} pictures *_leftImg8bit.png and {len(masks)} masks *_gtFine_labelIds.png "
            "were found, but none of the same frame; give the folder that holds leftImg8bit and gtFine"
        )
    items = [_item(frame, images[frame], masks[frame][1], options.source) for frame in frames]
    alone, orphans = sorted(images.keys() - masks.keys()), sorted(masks.keys() - images.keys())
    problems = [Problem(images[frame], "no mask", "there is no mask of this frame") for frame in alone]
    problems += [Problem(masks[frame][1], "no picture", "there is no picture of this frame") for frame in orphans]
    items, more, remarks = assign_splits(items, options)
    return Source(known_labels("cityscapes"), tuple(items), (*problems, *more), _Reader(), tuple(remarks))


def _item(frame: str, image: Path, mask: Path, source: Path) -> Item:
    """The frame with its city as folder, if it lies in one, and the split of the folders above."""
    folders = image.relative_to(source).parent.parts
    words = [word for folder in folders for word in (folder, folder.split("_")[0])]
    split = next((found for word in words if (found := split_name(word))), "")
    city = frame.split("_")[0]
    return Item(f"{city}/{frame}" if city in folders else frame, image, mask, split)


class _Reader:
    """Train ids of a mask of either kind."""

    def __init__(self) -> None:
        labels = known_labels("cityscapes")
        ids: dict[int | None, int] = {label: TRAIN_IDS.get(label, IGNORE) for label in (*range(LAST_ID + 1), IGNORE)}
        train_ids: dict[int | None, int] = {label: label for label in (*range(len(labels)), IGNORE)}
        self.ids = LabelReader(labels, mapped(ids, labels.ignore))
        self.train_ids = LabelReader(labels, mapped(train_ids, labels.ignore))

    def __call__(self, item: Item) -> Reading:
        return self.train_ids(item) if item.mask.stem.endswith("labelTrainIds") else self.ids(item)
