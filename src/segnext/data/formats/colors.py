"""Masks whose colours are the classes: RGB, RGBA and palette pictures, mixed as they come."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segnext.data.formats.classes import MOST_CLASSES, given_colors, made_labels, title
from segnext.data.formats.lossy import UNSURE, Lossy
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import find_pairs
from segnext.data.formats.source import Item, Reading, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.masks import Codes, PairError, is_lossy, pack, read_colors
from segnext.errors import SegNextError
from segnext.labels import Color, Labels
from segnext.progress import Watch, quiet
from segnext.words import listed, share

_UNSEEN, _BEYOND, _INEXACT = -1, -2, 256  # values of the table: 0..255 exact, 256.. the same by nearness
_NEAR = 100  # distance up to which taking the nearest colour may be what is wanted
_MOST_COLORS = 200_000  # that deriving looks at; JPEG masks have many
MOST_UNSURE = 0.3  # share of a JPEG's pixels
BY_NEIGHBOURS = "pixels of JPEG masks decided by their neighbours"
_SLIP = 1e-3  # share of the pixels under which a derived class is pointed out
_VOID: dict[str, Color] = {"voc": (224, 224, 192)}  # of the others it is black, unless that is a class
_BLACK: Color = (0, 0, 0)


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pairs of pictures and colour masks."""
    found, problems = find_pairs(options)
    items, more, remarks = assign_splits(found, options)
    labels, further = given_colors(options)
    if labels is None:
        labels, extra = derive(items, options, watch)
        remarks += extra
    elif options.like:
        void = _VOID.get(labels.name, _BLACK)
        if void not in labels.colors:
            options = replace(options, ignore_colors=(*options.ignore_colors, void))
    table = ColorTable(labels, options.ignore_colors, options.tolerance or 0.0, options.others == "ignore", further)
    settings = {"further colours": further} if further else {}
    return Source(labels, tuple(items), (*problems, *more), table.read, tuple(remarks), settings)


class ColorTable:
    """The label of every 24-bit colour, filled in as colours are met; safe to use from several threads."""

    def __init__(
        self,
        labels: Labels,
        ignored: Sequence[Color],
        tolerance: float,
        ignore_others: bool,
        further: Sequence[tuple[Color, int]] = (),
    ) -> None:
        """Refuse class lists that do not tell classes by colour; `further` are other colours of their labels."""
        label_of: dict[Color, int] = {}
        for color, label in [*zip(labels.colors, range(len(labels)), strict=True), *further]:
            first = label_of.setdefault(color, label)
            if first != label or color in ignored:
                other = f"class '{labels.classes[first]}'" if first != label else "the colour to ignore"
                raise SegNextError(
                    f"class '{labels.classes[label]}' and {other} share the colour {name(color)}; "
                    "give each its own in the class list"
                )
        self.labels, self.tolerance, self.ignore_others = labels, tolerance, ignore_others
        self.known = np.array([*label_of, *ignored], np.int32)
        self.label_of = np.array([*label_of.values(), *[labels.ignore] * len(ignored)], np.int16)
        self.table = np.full(1 << 24, _UNSEEN, np.int16)
        self.table[pack(self.known)] = self.label_of
        self.lossy = Lossy(self.known[:, :3])
        self.lock = threading.Lock()

    def read(self, item: Item, _: object = None) -> Reading:
        """Labels of a mask; transparent pixels are ignored."""
        codes, clear = read_colors(item.mask)
        if is_lossy(item.mask):
            return self._read_lossy(codes, item)
        if clear is not None:
            codes = np.where(clear, pack(self.known[:1])[0], codes)
        values = self.table[codes]
        if (values == _UNSEEN).any():
            with self.lock:
                self._learn(np.unique(codes[values == _UNSEEN]))
            values = self.table[codes]
        notes = {}
        if (beyond := values == _BEYOND).any():
            if not self.ignore_others:
                raise PairError("foreign colour", self._foreign(codes[beyond], item))
            notes["pixels of foreign colours ignored"] = int(np.count_nonzero(beyond))
            values = np.where(beyond, self.labels.ignore, values)
        if count := int(np.count_nonzero(values >= _INEXACT)):
            notes["pixels taken for the nearest colour"] = count
        mask = (values & 255).astype(np.uint8)
        if clear is not None:
            mask[clear] = self.labels.ignore
            notes["transparent pixels ignored"] = int(np.count_nonzero(clear))
        return Reading(mask, notes)

    def _read_lossy(self, codes: Codes, item: Item) -> Reading:
        """Labels of a JPEG: borders by their neighbours, and what stays unsure ignored."""
        places, decided = self.lossy.decode(codes)
        unsure = places == UNSURE
        if unsure.mean() > MOST_UNSURE:
            raise PairError(
                "foreign colour",
                f"{item.mask}: is a JPEG of which {share(int(unsure.sum()), unsure.size)} is near no class's colour; "
                "give the class list that it was painted with, or the mask itself if this is a picture",
            )
        mask = np.where(unsure, self.labels.ignore, self.label_of[places]).astype(np.uint8)
        sure = int(np.count_nonzero(decided & ~unsure))
        counts = {BY_NEIGHBOURS: sure, "pixels of JPEG masks unsure, ignored": int(np.count_nonzero(unsure))}
        return Reading(mask, {note: count for note, count in counts.items() if count})

    def _learn(self, codes: NDArray[np.int32]) -> None:
        for part in np.array_split(codes, 1 + len(codes) // 4096):
            distance, nearest = _nearest(part, self.known)
            label = self.label_of[nearest] + _INEXACT
            self.table[part] = np.where(distance <= self.tolerance, label, _BEYOND)

    def _foreign(self, codes: NDArray[np.int32], item: Item) -> str:
        colors, counts = np.unique(codes, return_counts=True)
        order = np.argsort(-counts)
        shown = [f"{name(unpack(int(colors[i])))} in {counts[i]:,} pixels" for i in order[:3]]
        rest = f" and {len(colors) - 3:,} more colours" if len(colors) > 3 else ""
        farthest = _nearest(colors, self.known)[0].max()
        near = f"--tolerance {np.ceil(farthest):.0f}, " if farthest < _NEAR else ""
        example = name(unpack(int(colors[order[0]])))
        return (
            f"{item.mask}: holds {', '.join(shown)}{rest}, which no class has (up to {farthest:.0f} from the "
            f"nearest); say --ignore-color {example}, {near}--others ignore, or add it to the class list, which "
            "may name a class again for each further colour"
        )


def _nearest(codes: NDArray[np.int32], known: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Euclidean distance in RGB to the nearest known colour, and which it is."""
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)
    squares = ((colors[:, None] - known[None]) ** 2).sum(-1)
    nearest = squares.argmin(1)
    return np.sqrt(squares[np.arange(len(codes)), nearest]), nearest


def derive(items: Sequence[Item], options: Options, watch: Watch) -> tuple[Labels, list[str]]:
    """A class for each colour of the masks, most frequent first merging what lies within the tolerance.

    Classes are sorted by colour and named after it; rare ones are pointed out.

    Raises:
        SegNextError: when there are more colours than classes can be.
    """
    counts: dict[int, int] = {}
    example: dict[int, Item] = {}
    for done, (item, found) in enumerate(_counted(items), 1):
        for code, count in found.items():
            counts[code] = counts.get(code, 0) + count
            example.setdefault(code, item)
        watch("colours", done, len(items))
        if len(counts) > (_MOST_COLORS if options.tolerance else MOST_CLASSES + len(options.ignore_colors)):
            raise SegNextError(_too_many(len(counts), options))
    ignored = {int(pack(np.array(color))) for color in options.ignore_colors}
    chosen = [code for code in _merged(counts, options.tolerance or 0.0, ignored) if code not in ignored]
    if len(chosen) > MOST_CLASSES:
        raise SegNextError(_too_many(len(chosen), options))
    chosen.sort()
    colors = [unpack(code) for code in chosen]
    labels = made_labels(title(options.source), [name(color) for color in colors], colors)
    total = sum(counts.values())
    rare = [code for code in chosen if counts[code] < _SLIP * total]
    slips = [f"{name(unpack(code))} ({counts[code]:,} pixels, as in {example[code].mask})" for code in rare]
    remarks = [f"{len(chosen)} classes named after their colours; give them names in dataset.yaml"]
    if len(chosen) > 2:
        remarks.append(
            "colours that mean one class: give them one name in a copy of dataset.yaml, and import into a new folder "
            "with --classes COPY"
        )
    if slips:
        remarks.append(f"rare colours, perhaps slips that --ignore-color would ignore: {listed(slips)}")
    return labels, remarks


def _counted(items: Sequence[Item]) -> Iterator[tuple[Item, dict[int, int]]]:
    def count(item: Item) -> dict[int, int]:
        try:
            codes, clear = read_colors(item.mask)
        except PairError:  # named when the pair is imported
            return {}
        values, counts = np.unique(codes if clear is None else codes[~clear], return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))

    with ThreadPoolExecutor(2) as pool:
        try:
            yield from zip(items, pool.map(count, items), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _merged(counts: dict[int, int], tolerance: float, ignored: set[int]) -> list[int]:
    order = [*ignored, *sorted(counts.keys() - ignored, key=lambda code: (-counts[code], code))]
    if not tolerance:
        return order
    chosen: list[int] = []
    known = np.zeros((0, 3), np.int32)
    for code in order:
        color = np.array(unpack(code), np.int32)
        if len(known) and (((known - color) ** 2).sum(1) <= tolerance**2).any():
            continue
        chosen.append(code)
        known = np.append(known, color[None], axis=0)
        if len(chosen) > 4 * MOST_CLASSES:  # far too many: the caller says so
            break
    return chosen


def _too_many(count: int, options: Options) -> str:
    how = "a larger --tolerance" if options.tolerance else "--tolerance 30"
    return (
        f"{options.source}: the masks hold {count:,} colours and more, too many for classes: they are anti-aliased, "
        f"JPEG pictures or photos; name the classes with --classes FILE, and use {how}"
    )


def unpack(code: int) -> Color:
    """0xRRGGBB to red, green, blue."""
    return code >> 16, code >> 8 & 255, code & 255


def name(color: Color) -> str:
    """#rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*color)
