"""Masks of labels, shifted or mapped to the classes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.data.formats.classes import DERIVE, given_labels, made_labels, title
from segnext.data.formats.named import named_items
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import find_pairs
from segnext.data.formats.source import EXCHANGED, Item, Reading, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.masks import PairError, read_values
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.progress import Watch, quiet
from segnext.words import listed

IGNORE = 255  # in source masks, in mappings, and of class lists that are made up
RANGE = 1 << 16  # labels that a source may have

Table = NDArray[np.int32]  # (RANGE,) label of each source label, -1 for those that have none
Values = Callable[[Path], NDArray[np.int32]]


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pairs of pictures and label masks: grey, palette or 16-bit."""
    if options.mapping and options.offset:
        raise SegNextError("--map and --offset both change the labels; give one of them")
    if options.offset_in and not options.offset:
        raise SegNextError("--offset-in names the masks that --offset is for; give that too, as --offset -1")
    labels = given_labels(options)
    if labels is not None and options.names:
        raise SegNextError("--names and a class list both name the classes; give one of them")
    found, problems = find_pairs(options)
    items, more, remarks = assign_splits(found, options)
    inverted = named_items(items, options.invert, "--invert", options.source)
    shifted = named_items(items, options.offset_in, "--offset-in", options.source)
    values: Values = read_values
    if shifted:
        values = shifting(options.offset, {item.mask for item in shifted})
        options = replace(options, offset=0)
    if options.names:
        labels = made_labels(title(options.source), options.names)
    elif labels is None:
        labels, extra = derive(items, values, table(options, IGNORE), options, watch)
        remarks += extra
    if inverted and len(labels) != 2:
        raise SegNextError(f"--invert exchanges two classes, but there are {len(labels)}; use --map to exchange labels")
    plain = LabelReader(labels, table(options, labels.ignore), options.others == "ignore", values)

    def read(item: Item, _: object) -> Reading:
        return _changed(plain(item), item in shifted, item in inverted)

    return Source(labels, tuple(items), (*problems, *more), read, tuple(remarks))


def _changed(reading: Reading, shifted: bool, inverted: bool) -> Reading:
    """Labels with the two classes exchanged in an `inverted` mask; and notes of what was done to this mask alone."""
    notes = {"masks whose labels were shifted": 1} if shifted else {}
    if not inverted:
        return Reading(reading.mask, {**reading.notes, **notes})
    mask = np.where(reading.mask < 2, 1 - reading.mask, reading.mask)
    return Reading(mask, {**reading.notes, **notes, EXCHANGED: 1})


class LabelReader:
    """Reads label masks: each label through a table, then a check against the class list."""

    def __init__(self, labels: Labels, table: Table, ignore_others: bool = False, values: Values = read_values) -> None:
        self.labels, self.table, self.ignore_others, self.values = labels, table, ignore_others, values

    def __call__(self, item: Item, _: object = None) -> Reading:
        """Labels of a mask.

        Raises:
            PairError: when it is unreadable or holds labels that no class has.
        """
        values = self.values(item.mask)
        if values.min() < 0 or values.max() >= RANGE:
            raise PairError(
                "foreign label", f"{item.mask}: holds {values.min()} to {values.max()}, which are no labels"
            )
        mapped = self.table[values]
        unknown = (mapped < 0) | ((mapped >= len(self.labels)) & (mapped != self.labels.ignore))
        if not unknown.any():
            return Reading(mapped.astype(np.uint8))
        if not self.ignore_others:
            raise PairError("foreign label", self._foreign(values[unknown], item))
        mask = np.where(unknown, self.labels.ignore, mapped).astype(np.uint8)
        return Reading(mask, {"pixels of foreign labels ignored": int(np.count_nonzero(unknown))})

    def _foreign(self, values: NDArray[np.int32], item: Item) -> str:
        found, counts = np.unique(values, return_counts=True)
        shown = listed((f"{value} in {count:,} pixels" for value, count in zip(found, counts, strict=True)), 3)
        return (
            f"{item.mask}: holds label {shown}, which is none of the {len(self.labels)} classes and not the ignore "
            f"label {self.labels.ignore}; give the class list it belongs to, map it, or say --others ignore"
        )


def table(options: Options, ignore: int) -> Table:
    """What the options make of each source label; the source's 255 stays the ignore label unless it is mapped."""
    values = np.arange(RANGE, dtype=np.int32)
    if options.mapping:
        return mapped(dict(options.mapping), ignore)
    if options.offset:
        shifted = values + options.offset
        values = np.where(shifted < 0, ignore, shifted).astype(np.int32)
    values[IGNORE] = ignore
    return values


def shifting(offset: int, masks: set[Path]) -> Values:
    """Reads label masks, and adds `offset` to the labels of `masks`; 255, and what falls below 0, is ignored."""

    def read(mask: Path) -> NDArray[np.int32]:
        values = read_values(mask)
        if mask not in masks:
            return values
        shifted = values + offset
        return np.where((values == IGNORE) | ((shifted < 0) & (values >= 0)), IGNORE, shifted).astype(np.int32)

    return read


def mapped(mapping: dict[int | None, int], ignore: int) -> Table:
    """A table of a mapping, whose key None stands for all that it does not name, and whose 255 for the ignore label."""
    targets = {label: ignore if target == IGNORE else target for label, target in mapping.items()}
    result = np.full(RANGE, targets.pop(None, -1), np.int32)
    for label, target in targets.items():
        if label is not None:
            result[label] = target
    return result


def derive(
    items: Sequence[Item], values: Values, table: Table, options: Options, watch: Watch
) -> tuple[Labels, list[str]]:
    """Classes 0 to the largest label that the masks hold, named after their labels; and remarks for people.

    Raises:
        SegNextError: when most of those labels do not occur, or 0 alone beside what is ignored.
    """
    return made_of(used_labels(items, values, table, watch), options)


def used_labels(items: Sequence[Item], values: Values, table: Table, watch: Watch) -> set[int]:
    """What the table makes of the labels that the masks hold; masks that cannot be read hold none."""

    def used(item: Item) -> NDArray[np.int32]:
        try:
            return np.unique(np.clip(values(item.mask), 0, RANGE - 1))
        except PairError:  # named when the pair is imported
            return np.zeros(0, np.int32)

    seen: set[int] = set()
    with ThreadPoolExecutor(2) as pool:
        for done, found in enumerate(pool.map(used, items), 1):
            seen.update(table[found].tolist())
            watch("labels", done, len(items))
    return seen


def made_of(used: set[int], options: Options) -> tuple[Labels, list[str]]:
    """See `derive`; `used` is what `used_labels` gives."""
    seen = used - {IGNORE, -1}
    count = max(seen, default=-1) + 1
    if seen == {0} and IGNORE in used and options.classes != DERIVE:
        raise SegNextError(
            f"{options.source}: the masks hold nothing but 0 and {IGNORE}, the ignore label; if these are two classes, "
            "use --from binary (--classes derive takes them as they are)"
        )
    absent = sorted(set(range(count)) - seen)
    if len(absent) > max(8, len(seen)) and options.classes != DERIVE:
        raise SegNextError(
            f"{options.source}: the masks hold {len(seen)} labels with wide gaps ({listed(sorted(seen), 10)}); say "
            "what they mean by --map or --classes FILE (--classes derive takes them as they are), or use --from binary "
            "for 0 and 255"
        )
    remarks = [f"{count} classes named after their labels; give them names in dataset.yaml"]
    if absent:
        remarks.append(f"labels that no mask holds: {listed(absent, 10)}")
    return made_labels(title(options.source), [f"class {label}" for label in range(count)]), remarks
