"""Lists of pictures that make splits (ImageSets/Segmentation/train.txt, split.csv, splits.yaml), and what they name."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnext.data.names import bare_stem, split_of, stem_of
from segnext.documents import read_json, read_yaml
from segnext.errors import SegNextError

SUFFIXES = (".txt", ".lst", ".csv", ".yaml", ".yml", ".json")
LARGEST = 64_000_000  # bytes; what is larger is no list of names
_NUMBERS = re.compile(r"-?[\d.]+([\s,;]+[-+.\deE]+){4,}")  # rows of polygons or labels, in files called train_1.txt
_SPLIT_COLUMNS = ("split", "set", "subset", "fold", "partition", "phase")


@dataclass(frozen=True)
class SplitList:
    """What one file says of one split.

    Attributes:
        split: train, val or test.
        file: the list.
        folder: the pictures below this folder are those it is about.
        found: the pictures that it names.
        missing: names of no picture.
    """

    split: str
    file: Path
    folder: Path
    found: tuple[Path, ...] = ()
    missing: tuple[str, ...] = field(default=())


def find_lists(root: Path, files: Iterable[Path], pictures: Sequence[Path]) -> list[SplitList]:
    """The lists among `files` that name pictures, by folder.

    A list is about the pictures below the innermost folder above it that holds any. Where a folder has several lists
    for a split, as VOC has for each of its tasks, that for segmentation counts. At least half of what a list says must
    be pictures.

    Args:
        root: the data set's folder, to which the paths are relative.
        files: candidates; those that are called or say what a split is and end like a list are taken.
        pictures: all pictures that lists may be about.
    """
    above = {folder for picture in pictures for folder in picture.parents}
    taken: dict[tuple[Path, str], SplitList] = {}
    indices: dict[Path, _Index] = {}
    for file in sorted(files, key=lambda file: ("segmentation" not in str(file.parent).lower(), str(file))):
        folder = next((folder for folder in file.parents if folder in above), None)
        if folder is None or file.suffix.lower() not in SUFFIXES or (root / file).stat().st_size > LARGEST:
            continue
        for split, names in _splits_in(root / file):
            if (folder, split) not in taken:
                index = indices.setdefault(folder, _Index([p for p in pictures if p.is_relative_to(folder)], folder))
                entry = index.listed(split, file, names)
                if 2 * len(entry.found) >= max(1, len(entry.found) + len(entry.missing)):
                    taken[folder, split] = entry
    return sorted(taken.values(), key=lambda entry: (entry.folder, entry.split))


def lists_in(folder: Path, pictures: Sequence[Path]) -> list[SplitList]:
    """The lists in a folder of their own, whatever they name; paths of pictures may be relative to any folder.

    Raises:
        SegNextError: when there are none.
    """
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    index = _Index(pictures, Path())
    lists: dict[str, SplitList] = {}
    for file in [file for file in files if file.suffix.lower() in SUFFIXES]:
        for split, names in _splits_in(file):
            lists.setdefault(split, index.listed(split, file, names))
    if not lists:
        raise SegNextError(f"{folder}: has no list train.txt, val.txt or test.txt; --split-from takes their folder")
    return list(lists.values())


class _Index:
    """Pictures by path, by path without suffix, and by file name, stem or number where that is unique."""

    def __init__(self, pictures: Sequence[Path], folder: Path) -> None:
        self.folder = folder
        self.by: dict[str, Path] = {}
        short: dict[Path, set[str]] = {picture: _short_names(picture) for picture in pictures}
        counts = Counter(name for names in short.values() for name in names)
        for picture, names in short.items():
            path = picture.relative_to(folder)
            for name in (path.as_posix(), path.with_suffix("").as_posix(), *names):
                if counts[name] < 2:
                    self.by.setdefault(name.casefold(), picture)

    def listed(self, split: str, file: Path, names: Iterable[str]) -> SplitList:
        """What a list names."""
        found = {name: self.look_up(name) for name in dict.fromkeys(names)}
        known = dict.fromkeys(picture for picture in found.values() if picture is not None)
        return SplitList(split, file, self.folder, tuple(known), tuple(n for n, p in found.items() if p is None))

    def look_up(self, line: str) -> Path | None:
        """The picture of a line, or of what comes before its first blank or comma."""
        for text in (line, re.split(r"[\s,]", line)[0]):
            path = Path(text.replace("\\", "/").lstrip("/"))
            number = str(int(text)) if text.isdecimal() else ""
            for key in (path.as_posix(), path.with_suffix("").as_posix(), path.name, path.stem, stem_of(path), number):
                if key and (picture := self.by.get(key.casefold())):
                    return picture
        return None


def _short_names(picture: Path) -> set[str]:
    stem = stem_of(picture)
    numbers = re.findall(r"\d+", stem)
    return {picture.name, picture.stem, stem, bare_stem(stem), *(str(int(number)) for number in numbers[-1:])}


def _splits_in(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The splits that a file tells, with the names of their pictures; nothing for files that are no lists."""
    split = split_of(file.stem)
    try:
        if file.suffix.lower() in (".txt", ".lst"):
            lines = _lines(file) if split else []
            yield from [(str(split), lines)] if split and not any(map(_NUMBERS.fullmatch, lines)) else []
        elif file.suffix.lower() == ".csv":
            yield from _rows(file, split)
        else:
            yield from _entries(read_json(file, LARGEST) if file.suffix.lower() == ".json" else read_yaml(file), split)
    except (SegNextError, OSError, csv.Error):
        return


def _lines(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _rows(file: Path, split: str | None) -> Iterator[tuple[str, list[str]]]:
    """Of a CSV file: its first column, or that beside a column of splits."""
    lines = _lines(file)
    rows = list(csv.reader(lines))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((header.index(name) for name in _SPLIT_COLUMNS if name in header), None)
    if column is None:
        yield from [(split, lines)] if split else []
        return
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows[1:]:
        others = [cell for place, cell in enumerate(row) if place != column]
        if column < len(row) and others and (said := split_of(row[column])):
            groups[said].append(others[0].strip())
    yield from groups.items()


def _entries(content: Any, split: str | None) -> Iterator[tuple[str, list[str]]]:
    """Of YAML or JSON: a mapping of splits to lists, a list of entries that say their split, or a list of names."""
    if isinstance(content, Mapping):
        for name, names in content.items():
            if (said := split_of(str(name))) and isinstance(names, list) and names:
                yield said, [text for entry in names if (text := _name(entry))]
    elif isinstance(content, list):
        groups: dict[str, list[str]] = defaultdict(list)
        for entry in content:
            said = (
                next((entry[key] for key in _SPLIT_COLUMNS if key in entry), None) if isinstance(entry, Mapping) else ""
            )
            kind = split_of(str(said)) or split
            if kind and (text := _name(entry)):
                groups[kind].append(text)
        yield from groups.items()


def _name(entry: Any) -> str:
    """The name of a picture in a list: a text, a number, or the first text of a pair or mapping."""
    if isinstance(entry, Mapping):
        keys = ("image", "img", "file_name", "filename", "file", "name", "path")
        entry = next((entry[key] for key in keys if key in entry), "")
    if isinstance(entry, list):
        entry = entry[0] if entry else ""
    return str(entry) if isinstance(entry, str | int) and not isinstance(entry, bool) else ""
