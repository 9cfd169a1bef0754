"""Several data sets as one: a label map says which classes of the whole each class of each of them stands for.

    classes: [road, car, bus, {name: sky, color: [70, 130, 180]}]
    data:
      town:                  # the name in its dataset.yaml, or its folder's
        vehicle: [car, bus]  # cannot tell which
        dirt: road           # one class of the whole
        logo: null           # does not count
                             # classes that are not listed stand for the one of the same name

A mask of a merged data set holds codes: labels of the whole, and from `len(labels)` on one for each set of several
classes that pixels may be of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segnext.data.coding import Coding
from segnext.data.folder import DataSet, Pair, read_mask
from segnext.data.masks import Codes
from segnext.documents import read_yaml, shown
from segnext.errors import SegNextError
from segnext.labels import Labels, distinct_color
from segnext.preprocess import Bands

Classes = tuple[int, ...]  # labels of the whole that a pixel may be of; none for a pixel that does not count


@dataclass(frozen=True)
class OwnLabels:
    """Reads the labels of a data set, whose masks hold them or something else, as the codes of a `Coding`."""

    labels: Labels
    inner: Coding | None

    def __call__(self, path: Path) -> Codes:
        """H x W labels of a mask."""
        mask = read_mask(path, self.labels) if self.inner is None else self.inner.decode(path)
        return mask.astype(np.int32)


@dataclass(frozen=True)
class Member:
    """One of the data sets, by a name that no other has, and what each of its labels stands for."""

    name: str
    data: DataSet
    stands_for: tuple[Classes, ...]


@dataclass(frozen=True)
class Merged:
    """Data sets with classes of their own, as one with `labels`.

    Attributes:
        path: the label map.
        labels: of the whole.
        members: the data sets.
    """

    path: Path
    labels: Labels
    members: tuple[Member, ...]

    @property
    def bands(self) -> Bands | None:
        """None: all members have pictures."""
        return None

    @cached_property
    def sets(self) -> tuple[Classes, ...]:
        """What the codes from `len(labels)` on stand for."""
        found = {classes for member in self.members for classes in member.stands_for if len(classes) > 1}
        return tuple(sorted(found))

    def splits(self) -> list[str]:
        """Those that every member has."""
        return sorted(set.intersection(*(set(member.data.splits()) for member in self.members)))

    def pairs(self, split: str) -> list[Pair]:
        """The pairs of all members; pixels that may be of several classes are ignored."""
        return [pair for member in self.members for pair in self.coded(member, split, several=False)]

    def coded(self, member: Member, split: str, *, several: bool = True) -> list[Pair]:
        """The pairs of a member with masks of codes; without `several`, with labels of the whole alone."""
        whole, own = self.labels, member.data.labels
        codes: dict[Classes, int] = {(label,): label for label in range(len(whole))}
        if several:
            codes |= {classes: code for code, classes in enumerate(self.sets, len(whole))}
        table = [codes.get(classes, whole.ignore) for classes in member.stands_for]
        return recoded(member.data.pairs(split), own, table, whole.ignore)


def recoded(pairs: Sequence[Pair], own: Labels, codes: Sequence[int], ignore: int) -> list[Pair]:
    """Pairs whose masks are read as a code for each label that they have; pixels to ignore become `ignore`."""
    table = (*enumerate(codes), (own.ignore, ignore))
    return [replace(pair, coding=Coding(own.name, OwnLabels(own, pair.coding), table)) for pair in pairs]


def merge(data_sets: Sequence[DataSet], file: Path) -> Merged:
    """`data_sets` as the label map in `file` says.

    Raises:
        SegNextError: when the map is none, or does not fit the data sets.
    """
    labels, maps = _read(file, data_sets)
    if labels.multi_label or any(data.labels.multi_label for data in data_sets):
        raise SegNextError(f"{file}: multi-label data cannot be merged; every class has masks of its own there already")
    if any(data.bands is not None for data in data_sets):
        raise SegNextError(f"{file}: a data set of named bands cannot be merged; only those of pictures can")
    named = [(_names(data), data) for data in data_sets]
    strange = [name for name in maps if not any(name in names for names, _ in named)]
    if strange:
        known = ", ".join(names[0] for names, _ in named)
        raise SegNextError(f"{file}: there is no data set {shown(strange[0])} given; those given are {known}")
    members = []
    for names, data in named:
        alone = sum(names[0] == others[0] for others, _ in named) == 1
        title = names[0] if alone else str(data.path)
        members.append(Member(title, data, _stands_for(data, maps, labels, file)))
    merged = Merged(file, labels, tuple(members))
    if len(labels) + len(merged.sets) > labels.ignore:
        raise SegNextError(
            f"{file}: {len(labels)} classes and {len(merged.sets)} sets of several are more than masks can hold beside "
            f"the ignore label {labels.ignore}; name fewer"
        )
    return merged


def read_map(file: Path, data: DataSet) -> tuple[Labels, tuple[Classes, ...]]:
    """The classes of a label map, and what each of a data set's stands for among them; it may list other data sets too.

    Raises:
        SegNextError: when the map is none, or does not fit the data set.
    """
    labels, maps = _read(file, [data])
    return labels, _stands_for(data, maps, labels, file)


def _read(file: Path, data_sets: Sequence[DataSet]) -> tuple[Labels, Mapping[Any, Any]]:
    """The classes of a label map, and what it says of each data set."""
    content = read_yaml(file)
    labels = Labels.from_dict(content, str(file))
    if not isinstance(content.get("name"), str):
        labels = replace(labels, name=file.stem)
    labels = _colored(labels, content["classes"], data_sets)
    maps = content.get("data") or {}
    if not isinstance(maps, Mapping):
        raise SegNextError(f"{file}: 'data' is {shown(maps)}; it lists, for each data set, what its classes stand for")
    return labels, maps


def _colored(labels: Labels, entries: Sequence[Any], data_sets: Sequence[DataSet]) -> Labels:
    """Classes that the map gives no colour have that of their name in the data sets, or one that no other class has."""
    theirs = {
        name: color
        for data in reversed(data_sets)
        for name, color in zip(data.labels.classes, data.labels.colors, strict=True)
    }
    said = {
        name: color
        for name, color, entry in zip(labels.classes, labels.colors, entries, strict=True)
        if isinstance(entry, Mapping) and entry.get("color") is not None
    }
    for name in [name for name in labels.classes if name not in said and name in theirs]:
        if theirs[name] not in said.values():
            said[name] = theirs[name]
    for name in [name for name in labels.classes if name not in said]:
        said[name] = next(color for color in map(distinct_color, range(256)) if color not in said.values())
    return replace(labels, colors=tuple(said[name] for name in labels.classes))


def _names(data: DataSet) -> tuple[str, str]:
    """What a label map may call a data set."""
    return data.labels.name, data.path.resolve().name


def _stands_for(data: DataSet, maps: Mapping[Any, Any], whole: Labels, file: Path) -> tuple[Classes, ...]:
    """What each class of a data set stands for."""
    own = data.labels
    given: Any = next((maps[name] for name in _names(data) if name in maps), {})
    if not isinstance(given, Mapping):
        raise SegNextError(f"{file}: under '{own.name}' is {shown(given)}; write a line 'ITS CLASS: OURS' for each")
    for name in given:
        if name not in own.classes:
            raise SegNextError(
                f"{file}: '{own.name}' has no class {shown(name)}; its classes are {', '.join(own.classes)}"
            )
    labels = {name: label for label, name in enumerate(whole.classes)}
    found: list[Classes] = []
    for name in own.classes:
        entry = given.get(name, name)
        names = () if entry is None else tuple(entry) if isinstance(entry, list) else (entry,)
        for one in names:
            if one not in labels:
                said = f"stands for {shown(one)}" if name in given else "is not said to stand for anything"
                raise SegNextError(
                    f"{file}: class '{name}' of '{own.name}' {said}, and there is no class '{one}'; write, under "
                    f"'{own.name}', '{name}: CLASS', '[CLASS, CLASS]' or 'null', of {', '.join(whole.classes)}"
                )
        found.append(tuple(sorted({labels[one] for one in names})))
    return tuple(found)
