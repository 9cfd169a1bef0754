"""Several masks of a picture, of 0 and 255: one for each object, for each class, or by each of several people.

What masks are of, their names say beside their picture's (a_crack.png), their folders (masks/crack/a.png), or the
folders that are named (--masks crack,hole).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.data.formats.binary import DIVIDED, NAMES
from segnext.data.formats.classes import made_labels, title
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import name_of, paired
from segnext.data.formats.source import Item, Problem, Reading, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.masks import Mask, PairError, read_grey
from segnext.data.names import Role, role_of, split_of, tokens
from segnext.data.pairing import Groups, Pairing
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.progress import Watch, quiet
from segnext.words import listed

OVERLAP = "pixels in masks of several classes, of which the last counts"
UNDECIDED = "pixels on which as many people say one class as another, ignored"


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pictures with all of their masks, which `--merge` makes one of: union, order, vote or multi-label."""
    groups, found = _groups(options)
    kinds = class_names(groups)
    merge = options.merge or ("order" if kinds else "union")
    names = _names(options, kinds, merge)
    several = merge in ("order", "multi-label")
    if merge == "multi-label":
        labels = replace(made_labels(title(options.source), names), multi_label=True)
    else:
        labels = made_labels(title(options.source), (options.background, *names) if several else names)
    items = []
    for image, parts in groups.items():
        first, *more = [options.source / mask for _, mask in parts]
        name = name_of(image, parts[0][1], options.images)
        items.append(Item(name, options.source / image, first, more=tuple(more)))
    problems = [Problem(options.source / image, "no mask", "there is no mask of this name") for image in found.images]
    problems += [Problem(options.source / mask, "no picture", "it belongs to no picture") for mask in found.masks]
    items, lost, remarks = assign_splits(sorted(items, key=lambda item: item.name), options)
    if several and not options.names:
        remarks.append(
            f"classes by the names of masks, later ones on top: {listed(names)}; --names A,B,... orders them"
        )
    tags = {options.source / mask: plain_name(what) for parts in groups.values() for what, mask in parts}

    def read(item: Item, _: object) -> Reading:
        found = [(tags[file], *_is_set(file)) for file in (item.mask, *item.more)]
        if len({mask.shape for _, mask, _ in found}) > 1:
            raise PairError("sizes differ", f"{item.mask}: the masks of its picture have several sizes")
        reading = _merged([(what, mask) for what, mask, _ in found], labels, merge)
        divided = sum(count for _, _, count in found)
        return replace(reading, notes={**reading.notes, DIVIDED: divided}) if divided else reading

    return Source(labels, tuple(items), (*problems, *lost), read, tuple(remarks))


def plain_name(what: str) -> str:
    """What a mask is of, without numbers: "crack 2" is a crack."""
    return re.sub(r"[\W_]*\d+[\W_]*", " ", what).strip()


def class_names(groups: Groups) -> list[str]:
    """What the masks of each picture are named after, if that is a class and not a number: crack, hole."""
    parts = [part for parts in groups.values() for part in parts]
    names = Counter(plain_name(what) for what, _ in parts)
    return sorted(names) if len(names) > 1 and "" not in names and len(parts) > 1.5 * len(names) else []


def folder_names(groups: Groups) -> list[str]:
    """The folders of masks that may be classes: several that are no splits, each with several masks."""
    names = class_names(_by_folder(groups))
    return [] if any(map(split_of, names)) else names


def _groups(options: Options) -> tuple[Groups, Pairing]:
    """The masks of each picture with what they are of; and how files were paired."""
    folders = options.masks.split(",") if options.masks else []
    if len(folders) < 2:
        found = paired(options)
        if found.several or not found.choices:
            return _by_folder(found.groups), found
        folders = [name.rstrip("/") for name, _ in found.choices]
    groups: Groups = {}
    for folder in folders:
        found = paired(replace(options, masks=folder))
        for image, mask in found.pairs:
            groups.setdefault(image, []).append((_of_folder(folder), mask))
    return groups, replace(found, images=[image for image in found.images if image not in groups], masks=[])


def _by_folder(groups: Groups) -> Groups:
    """Single masks that names tell nothing about are of what the folder says that they lie in."""
    if any(what for parts in groups.values() for what, _ in parts):
        return groups
    return {
        image: [(next((part for part in reversed(mask.parent.parts) if role_of(part) is Role.UNKNOWN), ""), mask)]
        for image, ((_, mask), *_) in groups.items()
    }


def _of_folder(folder: str) -> str:
    """What the masks of a folder are of: its name without the words that say that they are masks."""
    words = [word for word in tokens(Path(folder).name) if role_of(word) is Role.UNKNOWN]
    return " ".join(words) or Path(folder).name


def _names(options: Options, kinds: Sequence[str], merge: str) -> tuple[str, ...]:
    """The classes: of union and vote two, else one for each kind of masks, in the order in which they are painted."""
    names = options.names or (tuple(kinds) if merge in ("order", "multi-label") else NAMES)
    if merge in ("union", "vote") and len(names) != 2:
        raise SegNextError(f"--names holds {len(names)} names; --merge {merge} makes two classes, the background first")
    if merge in ("order", "multi-label") and (not names or not set(names) <= {*kinds}):
        raise SegNextError(
            f"{options.source}: names and folders of the masks tell {listed(kinds) or 'no classes'}, which "
            f"--merge {merge} needs; give some of these to --names, or say --merge union"
        )
    return names


def _is_set(file: Path) -> tuple[NDArray[np.bool_], int]:
    """Where a mask is set: brighter than half of 255, or anything but 0 where there is one other value.

    The second result is how many pixels between black and white were divided by that half.
    """
    grey = read_grey(file)
    if len(np.unique(grey[grey > 0])) <= 1:
        return np.asarray(grey > 0), 0
    return np.asarray(grey >= 128), int(np.count_nonzero((grey > 0) & (grey < 255)))


def _merged(masks: Sequence[tuple[str, NDArray[np.bool_]]], labels: Labels, merge: str) -> Reading:
    shape = masks[0][1].shape
    if merge == "multi-label":
        planes = np.zeros((len(labels), *shape), np.uint8)
        for what, mask in masks:
            if what in labels.classes:
                planes[labels.classes.index(what)][mask] = 1
        return Reading(planes)
    count = np.stack([mask for _, mask in masks]).sum(0)
    if merge == "union":
        return Reading(np.asarray(count > 0, np.uint8))
    result: Mask = np.zeros(shape, np.uint8)
    if merge == "vote":
        result[2 * count > len(masks)] = 1
        undecided = 2 * count == len(masks)
        result[undecided] = labels.ignore
        return Reading(result, {UNDECIDED: int(undecided.sum())} if undecided.any() else {})
    notes: Counter[str] = Counter()
    for label, name in enumerate(labels.classes[1:], 1):
        for mask in [mask for what, mask in masks if what == name]:
            notes[OVERLAP] += int(np.count_nonzero(mask & (result > 0) & (result != label)))
            result[mask] = label
    return Reading(result, {note: count for note, count in notes.items() if count})
