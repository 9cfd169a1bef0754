"""How the masks of a data set write their classes down: as labels, as colours, or as black and white."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from segnext.data.doctor.case import Case, Pair
from segnext.data.doctor.records import Mask
from segnext.labels import Labels

RARE = 0.002  # share of all pixels under which a value of blurred masks is taken for blur
EDGES = 0.03  # share of all pixels up to which grey between black and white is their blurred edge
EDGE_WIDTH = 8  # pixels of such edges along a side of small masks, of which they are a larger share
SLACK = 1.15
PEAK = 5  # times as many pixels as a value of the blur between them have labels of blurred masks
WHITE = {1, 255, 65535}  # the highest values of 1, 8 and 16 bits
GAPS = 2  # labels that use less than one of this many numbers are grey levels
LEVELS, NEAR = 64, 12  # masks with higher values are grey levels; of these, values so near are one


@dataclass
class Encoding:
    """What kind of masks there are, and what they hold together.

    Attributes:
        kind: "labels", "colors" or "binary" (two grey levels, black and white).
        grey: pairs whose masks hold one number per pixel, without a palette.
        palette: pairs with palette masks.
        color: pairs with masks of RGB, with or without alpha.
        photos: pairs whose masks look like photographs.
        pixels: of each label in grey and palette masks.
        files: in how many of these each label occurs.
        solid: the labels that are not blur.
        colors: pixels of each colour, in colour masks and, where colours are what counts, in palette masks.
        color_files: in how many masks each colour occurs.
        clashes: indices that have different colours in different palette masks, with these colours.
    """

    kind: str = "labels"
    grey: list[Pair] = field(default_factory=list)
    palette: list[Pair] = field(default_factory=list)
    color: list[Pair] = field(default_factory=list)
    photos: list[Pair] = field(default_factory=list)
    pixels: Counter[int] = field(default_factory=Counter)
    files: Counter[int] = field(default_factory=Counter)
    solid: set[int] = field(default_factory=set)
    colors: Counter[int] = field(default_factory=Counter)
    color_files: Counter[int] = field(default_factory=Counter)
    clashes: dict[int, set[int]] = field(default_factory=dict)

    @property
    def numbered(self) -> list[Pair]:
        """Pairs whose masks hold one number per pixel."""
        return self.grey + self.palette


def encoding_of(case: Case) -> Encoding:
    """Sort the masks by kind and add up what they hold."""
    found = Encoding()
    for pair in case.readable():
        mask = pair[1].mask
        assert mask.values is not None
        if mask.values.photo:
            found.photos.append(pair)
        elif mask.mode == "P":
            found.palette.append(pair)
        elif is_color(mask):
            found.color.append(pair)
        else:
            found.grey.append(pair)
    if found.color:  # among colour masks, one that is all black or grey is a colour mask too
        plain = [pair for pair in found.grey if pair[1].mask.equal_channels]
        found.color += plain
        found.grey = [pair for pair in found.grey if not pair[1].mask.equal_channels]
    _add_up(found)
    found.clashes = _clashes([record.mask for _, record in found.palette])
    found.kind = _kind(found)
    if found.kind == "colors":
        for _, record in found.palette:
            _add_colors(found, {record.mask.colors.get(i, 0): n for i, n in _counts(record.mask).items()})
    return found


def is_color(mask: Mask) -> bool:
    """Whether a mask's pixels have three different channels."""
    return mask.mode not in ("1", "L", "P", "F") and not mask.mode.startswith("I") and not mask.equal_channels


def _counts(mask: Mask) -> dict[int, int]:
    return mask.values.counts if mask.values else {}


def _add_up(found: Encoding) -> None:
    blurred = False
    solid: Counter[int] = Counter()
    for _, record in found.numbered:
        values = record.mask.values
        if values is None or min(values.counts) < 0:  # fractions are no labels
            continue
        found.pixels.update(values.counts)
        found.files.update(values.counts.keys())
        solid.update(values.solid)
        blurred |= values.blurred
    for _, record in found.color:
        counts = _counts(record.mask)
        if record.mask.equal_channels:
            counts = {value * 0x010101: count for value, count in counts.items()}
        _add_colors(found, counts)
    wide = Counter({value: n for value, n in found.pixels.items() if 2 * solid[value] >= found.files[value]})
    side = (found.pixels.total() / max(len(found.numbered), 1)) ** 0.5
    found.solid = _peaks(wide, found.pixels, side) if blurred else set(found.pixels)


def _peaks(pixels: Counter[int], every: Counter[int], side: float) -> set[int]:
    """The frequent values of blurred masks; of grey levels, the most frequent of those close together."""
    blur = [count for value, count in every.items() if value not in pixels]
    least = max(RARE * every.total(), PEAK * float(np.median(blur)) if blur else 0)
    frequent = [value for value, count in pixels.most_common() if count >= least]
    between = sum(pixels[value] for value in frequent if 0 < value < 255) / max(every.total(), 1)
    if {0, 255} <= {*frequent} and (between < EDGES or (between < EDGE_WIDTH / side and _is_even(every))):
        return {0, 255}
    if max(frequent, default=0) <= LEVELS:
        return set(frequent)
    peaks: list[int] = []
    for value in frequent:
        if all(abs(value - peak) > NEAR for peak in peaks):
            peaks.append(value)
    return set(peaks)


def _is_even(pixels: Counter[int]) -> bool:
    """Whether no grey between black and white stands out, as that of a third class does."""
    first, second, *_ = *sorted((n for v, n in pixels.items() if 2 * NEAR <= v <= 255 - 2 * NEAR), reverse=True), 0, 0
    return first <= 2 * second


def mixed_binary(found: Encoding) -> tuple[list[Pair], list[Pair]]:
    """Pairs with masks of 0 and 255, and those with masks of 0 and 1, where there are both and nothing else.

    Masks of 16 bits, 0 and 65535, may stand for either.

    The higher values may be others where one is of grey masks alone and the other of palette masks alone.
    """
    low, high = binary_values(found)
    both: tuple[list[Pair], list[Pair]] = [], []
    for pair in found.numbered:
        counts = _counts(pair[1].mask).keys()
        for pairs, value in zip(both, (high, low), strict=True):
            if value in counts and counts <= {0, value}:
                pairs.append(pair)
    kinds = [{record.mask.mode == "P" for _, record in pairs} for pairs in both]
    alone = {low, high} <= WHITE or kinds in ([{True}, {False}], [{False}, {True}])
    return both if alone and all(both) and found.solid <= {0, low, high} else ([], [])


def binary_values(found: Encoding) -> tuple[int, int]:
    """The two values that may stand for one class beside 0: the lower and the higher; 1 and 255 unless others occur."""
    values = sorted(found.solid - {0})
    return (values[0], values[1]) if len(values) == 2 else (1, 255)


def grey_levels(found: Encoding, classes: int | None) -> dict[int, int]:
    """Which label each value of grey masks would get, if they are spread like grey levels (0, 76, 149); else {}.

    Args:
        found: the masks.
        classes: number of classes, if it is known.
    """
    labels = sorted(found.solid)
    inner = [label for label in labels if label != 255] if len(labels) > 3 else labels
    spread = len(inner) >= 2 and max(inner) + 1 > GAPS * len(inner) + 4 and len(inner) < 64
    if not (found.grey and spread) or mixed_binary(found)[0]:
        return {}
    steps = {high - low for low, high in pairwise(labels)}
    all_classes = len(labels) <= 3 or max(steps) - min(steps) <= 2 or len(labels) == classes
    return {label: 255 if label == 255 and not all_classes else i for i, label in enumerate(labels)}


def is_blurred(found: Encoding) -> bool:
    """Whether some of the masks without colours are."""
    return any(record.mask.blurred for _, record in found.numbered)


def are_swapped(found: Encoding) -> bool:
    """Whether most of what should be masks are photographs, so that the folders have changed places."""
    return len(found.photos) > len(found.numbered) + len(found.color)


def has_fractions(found: Encoding) -> bool:
    """Whether masks hold numbers that are not whole."""
    return any(min(_counts(record.mask), default=0) < 0 for _, record in found.grey)


def color_tolerance(found: Encoding) -> tuple[str, ...]:
    """`--tolerance` that takes the colours of blurred masks for the nearest frequent one; () where none is blurred."""
    if not any(record.mask.blurred for _, record in found.color):
        return ()
    main = _channels(main_colors(found))
    between = np.linalg.norm(main[:, None] - main, axis=2)
    distances = np.linalg.norm(_channels(list(found.colors))[:, None] - main, axis=2)
    apart = between[between > 0].min(initial=443.0)
    needed = SLACK * distances.min(axis=1).max()  # of the rarest colours of each mask only a part is known
    return "--tolerance", str(int(min(np.ceil(needed), apart - 1)))


def main_colors(found: Encoding) -> list[int]:
    """The frequent colours, and rarer ones that cover regions; of those close together the most frequent.

    A rare colour on the line between two of them is what blur makes of these.
    """
    solid = Counter(color for _, record in found.color if record.mask.values for color in record.mask.values.solid)
    main: list[int] = []
    total = found.colors.total()
    for color, count in found.colors.most_common():
        share = count / total
        if share < RARE / 20:
            break
        if share < RARE and 2 * solid[color] < found.color_files[color]:
            continue
        if _is_apart(_channels([color])[0], _channels(main), lines=share < EDGES):
            main.append(color)
    return main


def _is_apart(color: NDArray[np.float64], others: NDArray[np.float64], lines: bool) -> bool:
    """Whether a colour is near none of the others, nor, with `lines`, near the line between two of them."""
    ways = others[:, None] - others  # from the second to the first
    along = ((color - others) * ways).sum(axis=2) / np.maximum((ways**2).sum(axis=2), 1.0)
    nearest = others + lines * along.clip(0, 1)[..., None] * ways
    return bool(np.linalg.norm(color - nearest, axis=2).min(initial=np.inf) > 2 * NEAR)


def _channels(colors: list[int]) -> NDArray[np.float64]:
    """Red, green and blue of each colour."""
    return np.array([(color >> 16, color >> 8 & 255, color & 255) for color in colors], np.float64).reshape(-1, 3)


def codes(labels: Labels) -> list[int]:
    """The classes' colours as 0xRRGGBB."""
    return [red << 16 | green << 8 | blue for red, green, blue in labels.colors]


def _add_colors(found: Encoding, counts: dict[int, int]) -> None:
    found.colors.update(counts)
    found.color_files.update(counts.keys())


def _clashes(masks: list[Mask]) -> dict[int, set[int]]:
    """Indices that mean different colours in different files."""
    colors: dict[int, set[int]] = defaultdict(set)
    for mask in masks:
        for index, color in mask.colors.items():
            colors[index].add(color)
    return {index: found for index, found in sorted(colors.items()) if len(found) > 1}


def _kind(found: Encoding) -> str:
    if found.clashes or len(found.color) > len(found.grey):
        return "colors"
    grey = {color for color in found.colors if color >> 16 == (color >> 8 & 255) == (color & 255)}
    if found.color and not found.grey and len(grey) < len(found.colors):
        return "colors"
    if any(white in found.solid and found.solid <= {0, white} for white in WHITE - {1}):
        return "binary"
    return "labels"
