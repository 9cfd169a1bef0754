"""Which split each pair goes to: the source's own split folders, its lists, or one split for all."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.source import Item, Problem
from segnext.data.names import split_of, tokens
from segnext.data.split_lists import SUFFIXES, find_lists
from segnext.errors import SegNextError
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
        return _by_lists(items, _lists(Path(options.split_from)), options.source)
    found = [_by_folder(item) for item in items]
    if any(item.split for item in found):
        return [item if item.split else replace(item, split="train") for item in found], [], []
    if (assigned := _by_own_lists(items, options.source)) is not None:
        return assigned
    remark = "the source has no splits, so all are in 'train'; 'segnext data split' makes a val split of them"
    return [replace(item, split="train") for item in items], [], [remark]


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
    pictures = {item.image.relative_to(source): item for item in items if item.image.is_relative_to(source)}
    files = [file.relative_to(source) for file in files_of(source) if file.suffix.lower() in SUFFIXES]
    placed: dict[Path, Item] = {}
    problems: list[Problem] = []
    remarks: list[str] = []
    for folder, lists in find_lists(source, files, pictures).items():
        below = [item for path, item in pictures.items() if path.is_relative_to(folder)]
        named = {split: source / file for split, file in lists.items() if _names_some(source / file, below, source)}
        if named:
            found, vain, said = _by_lists(below, named, source)
            placed |= {item.image: item for item in found if item.split != UNLISTED or item.image not in placed}
            problems += vain
            remarks += said
    if not placed:
        return None
    return [placed.get(item.image) or replace(item, split=UNLISTED) for item in items], problems, remarks


def _names_some(file: Path, items: Sequence[Item], source: Path) -> bool:
    """Whether at least half of a file's lines name pictures."""
    index, lines = _index(items, source), _lines(file)
    return 2 * sum(_look_up(index, line) is not None for line in lines) >= max(len(lines), 1)


def _lines(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _find_lists(folder: Path) -> dict[str, Path]:
    files = sorted(folder.glob("*.txt")) if folder.is_dir() else []
    return {split: file for file in files if (split := split_name(file.stem))}


def _lists(folder: Path) -> dict[str, Path]:
    lists = _find_lists(folder)
    if not lists:
        raise SegNextError(f"{folder}: has no list train.txt, val.txt or test.txt; --split-from takes their folder")
    return lists


def _by_lists(items: Sequence[Item], lists: dict[str, Path], source: Path) -> Assigned:
    """Lists hold a name or path per line; what follows a blank or comma is left out if the whole line is no name."""
    index = _index(items, source)
    split_of: dict[int, str] = {}
    problems: list[Problem] = []
    twice: Counter[str] = Counter()
    for split in sorted(lists, key=lambda name: LEAST_LEAKING.index(name) if name in LEAST_LEAKING else 99):
        for line in _lines(lists[split]):
            number = _look_up(index, line)
            if number is None:
                reason = f"'{line}' is listed, but there is no such picture with a mask"
                problems.append(Problem(lists[split], "listed in vain", reason))
            elif split_of.setdefault(number, split) != split:
                twice[f"'{split}' and '{split_of[number]}'"] += 1
    remarks = [f"splits by the lists {listed(lists.values())}"]
    for both, count in twice.items():
        kept = both.split(" and ")[1]
        remarks.append(f"{count} pictures are listed in {both}; they are in {kept} alone, so that it measures honestly")
    rest = UNLISTED if "train" in lists else "train"
    if rest == "train" and len(split_of) < len(items):
        remarks.append(f"pairs in no list, put into train, which has none: {len(items) - len(split_of)}")
    placed = [replace(item, split=split_of.get(number, rest)) for number, item in enumerate(items)]
    if left := sum(item.split == UNLISTED for item in placed):
        remarks.append(f"pairs in no list, put into a split of their own, '{UNLISTED}': {left}")
    return placed, problems, remarks


def _index(items: Sequence[Item], source: Path) -> dict[str, int]:
    """Items by path, by path without suffix, by name, and by file name where that is unique."""
    index: dict[str, int] = {}
    unique = Counter(item.image.name for item in items) + Counter(item.image.stem for item in items)
    for number, item in enumerate(items):
        path = item.image.relative_to(source) if item.image.is_relative_to(source) else item.image
        keys = [path.as_posix(), path.with_suffix("").as_posix(), item.name]
        keys += [name for name in (item.image.name, item.image.stem) if unique[name] == 1]
        for key in keys:
            index.setdefault(key, number)
    return index


def _look_up(index: dict[str, int], line: str) -> int | None:
    for text in (line, re.split(r"[\s,]", line)[0]):
        path = Path(text.lstrip("/"))
        for key in (path.as_posix(), path.with_suffix("").as_posix(), path.name, path.stem):
            if key in index:
                return index[key]
    return None
