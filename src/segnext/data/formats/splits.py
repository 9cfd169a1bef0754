"""Which split each pair goes to: the source's own split folders, its lists, or one split for all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.source import Item, Problem
from segnext.data.names import split_of, tokens
from segnext.data.split_lists import SUFFIXES, SplitList, find_lists, lists_in
from segnext.words import listed

LEAST_LEAKING = ("test", "val", "train")  # a pair in several lists belongs to the first of these
OWN = ("train_extra",)  # splits of a name of their own
UNLISTED = "unlisted"

Assigned = tuple[list[Item], list[Problem], list[str]]


def assign_splits(items: Sequence[Item], options: Options) -> Assigned:
    """Give every item a split; also what the lists name in vain, and remarks for people.

    Raises:
        SegNextError: when the lists asked for are not there.
    """
    if options.split_from == "none":
        return [replace(item, split="train") for item in items], [], []
    if options.split_from != "auto":
        pictures = {_below(item.image, options.source): item for item in items}
        return _by_lists(items, lists_in(Path(options.split_from), [*pictures]), pictures, Path())
    found = [_by_folder(item) for item in items]
    if any(item.split for item in found):
        return [item if item.split else replace(item, split="train") for item in found], [], []
    if (assigned := _by_own_lists(items, options.source)) is not None:
        return assigned
    remark = "the source has no splits, so all are in 'train'; 'segnext data split' makes a val split of them"
    return [replace(item, split="train") for item in items], [], [remark]


def _below(file: Path, source: Path) -> Path:
    return file.relative_to(source) if file.is_relative_to(source) else file


def _by_folder(item: Item) -> Item:
    """Take the split from the item itself, or from the first folder of its name that is called like one."""
    if item.split:
        return item
    *folders, stem = item.name.split("/")
    for index, folder in enumerate(folders):
        if split := split_name(folder):
            rest = [] if len(tokens(folder)) == 1 or folder in OWN else [folder]
            return replace(item, split=split, name="/".join([*folders[:index], *rest, *folders[index + 1 :], stem]))
    return item


def split_name(text: str) -> str:
    """Say "train", "val", ... for a folder's or list's name such as "training" or "val2017"; "" for others."""
    return text if text in OWN else split_of(text) or ""


def _by_own_lists(items: Sequence[Item], source: Path) -> Assigned | None:
    """By the lists in the source; None when there are none that name what is there."""
    source = source if source.is_dir() else source.parent
    inside = {item.image.relative_to(source): item for item in items if item.image.is_relative_to(source)}
    files = [file.relative_to(source) for file in files_of(source) if file.suffix.lower() in SUFFIXES]
    lists = find_lists(source, files, [*inside])
    return _by_lists(items, lists, inside, source) if lists else None


def _by_lists(
    items: Sequence[Item], lists: Sequence[SplitList], pictures: Mapping[Path, Item], source: Path
) -> Assigned:
    """Put every item into the split of its list; of several, into the one that measures most honestly."""
    placed: dict[Path, str] = {}
    problems: list[Problem] = []
    twice: Counter[tuple[str, str]] = Counter()
    for entry in sorted(lists, key=lambda entry: LEAST_LEAKING.index(entry.split)):
        for name in entry.missing:
            reason = f"'{name}' is listed, but there is no such picture with a mask"
            problems.append(Problem(source / entry.file, "listed in vain", reason))
        for picture in entry.found:
            kept = placed.setdefault(pictures[picture].image, entry.split)
            twice[entry.split, kept] += kept != entry.split
    remarks = [f"splits by the lists {listed(dict.fromkeys(source / entry.file for entry in lists))}"]
    for (split, kept), count in twice.items():
        if count:
            both = f"'{split}' and '{kept}'"
            remarks.append(
                f"{count} pictures are listed in {both}; they are in '{kept}' alone, so that it measures honestly"
            )
    trained = {entry.folder for entry in lists if entry.split == "train"}
    about = {entry.folder for entry in lists}
    for path, item in pictures.items():
        folder = next((folder for folder in path.parents if folder in about), None)
        placed.setdefault(item.image, UNLISTED if folder is None or folder in trained else "train")
    result = [replace(item, split=placed.get(item.image, UNLISTED)) for item in items]
    named = sum(len(entry.found) for entry in lists) - sum(twice.values())
    left = sum(item.split == UNLISTED for item in result)
    if rest := len(items) - named - left:
        remarks.append(f"pairs in no list, put into train, which has none: {rest}")
    if left:
        remarks.append(f"pairs in no list, put into a split of their own, '{UNLISTED}': {left}")
    return result, problems, remarks
