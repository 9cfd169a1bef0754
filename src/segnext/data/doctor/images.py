"""Findings about pictures: sizes, rotation, bits, bands and kinds."""

from collections import Counter
from collections.abc import Iterator
from math import sqrt

from segnext.data.doctor.case import Case, named
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.data.doctor.records import Image, Record
from segnext.data.doctor.survey import Item
from segnext.data.formats.report import imported_names, name_in
from segnext.words import counted, listed, share

SPREAD = 4.0  # ratio of side lengths between the largest and smallest pictures that is pointed out
SMALL = 32  # pixels; the network's last maps have a 32nd of the side

Pair = tuple[Item, Record]


def judge_images(case: Case) -> Iterator[Finding]:
    """Everything about the pictures, and their size against the mask's."""
    yield from _sizes_differ(case)
    yield from _rotated(case)
    yield from _kinds(case)
    yield from _sizes(case)


def _good(case: Case) -> list[Pair]:
    return [(item, record) for item, record in case.pairs() if record.image.size[0] and record.mask.size[0]]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _is_unrotated(record: Record) -> bool:
    """Whether the mask fits the picture as stored, and not as it is seen."""
    image, mask = record.image, record.mask
    return image.orientation >= 5 and mask.upright == image.size != image.upright


def _sizes_differ(case: Case) -> Iterator[Finding]:
    unlike = [pair for pair in _good(case) if pair[1].image.upright != pair[1].mask.size]
    pairs = [pair for pair in unlike if not _is_unrotated(pair[1])]
    if not pairs:
        return
    causes = Counter(_cause(record) for _, record in pairs)
    swapped = ", of ".join(_swapped(pairs)[:4])
    exchanged = f"; the masks of {swapped} fit each other's pictures: their names may be exchanged" if swapped else ""
    yield Finding(
        "sizes-differ",
        Severity.ERROR,
        f"{counted(len(pairs), 'pair')} with a mask of another size than the picture: "
        f"{listed((f'{number:,} {cause}' for cause, number in causes.most_common()), 4)}",
        "each pixel needs its label, and only you can tell whether the mask was resized or belongs to another picture"
        + exchanged,
        "export these masks again at the picture's size, resize them by nearest neighbour, or remove the pairs",
        len(pairs),
        examples([named(i.image, f"{_by(r.image.upright)}, mask {_by(r.mask.size)}") for i, r in pairs]),
    )


def _swapped(pairs: list[Pair]) -> list[str]:
    """Twos of masks, each of the size of the other's picture."""
    by_sizes = {(record.image.upright, record.mask.size): item.image.name for item, record in pairs}
    twos = {sizes: by_sizes.get((sizes[1], sizes[0])) for sizes in by_sizes}
    return [f"{name} and {twos[sizes]}" for sizes, name in by_sizes.items() if twos[sizes] and name < str(twos[sizes])]


def _cause(record: Record) -> str:
    (width, height), (mask_width, mask_height) = record.image.upright, record.mask.size
    if (mask_width, mask_height) == (height, width):
        return "turned by 90 degrees"
    if max(abs(mask_width - width), abs(mask_height - height)) <= 2:
        return "off by a pixel or two"
    across, down = mask_width / width, mask_height / height
    if abs(across / down - 1) < 0.02:
        return "resized" if max(across, down) != 1 else "cut"
    return "of another shape"


def _rotated(case: Case) -> Iterator[Finding]:
    wrong = [(item, record) for item, record in _good(case) if _is_unrotated(record)]
    if wrong:
        yield Finding(
            "exif-rotated",
            Severity.ERROR,
            f"{counted(len(wrong), 'picture')} turned by EXIF, whose masks are not",
            "cameras store pictures lying, with a note to turn them; the masks were drawn on the lying ones",
            "turn the masks alike: 'segnext data import' does so, by their sizes, and copies the pictures as they are",
            len(wrong),
            examples([named(i.image, f"orientation {r.image.orientation}, mask {_by(r.mask.size)}") for i, r in wrong]),
        )
    unclear = [(i, r) for i, r in _good(case) if r.image.orientation > 1 and r.image.size == r.image.upright]
    if unclear:  # but for what was settled when it was imported
        settled = imported_names(case.survey.root)
        unclear = [(item, record) for item, record in unclear if name_in(item.image) not in settled]
    if unclear:
        yield Finding(
            "exif-unclear",
            Severity.WARNING,
            f"{counted(len(unclear), 'picture')} turned or mirrored by EXIF; sizes do not tell if the masks follow",
            "if the masks were drawn on the picture as stored, they lie wrong",
            "look at them in the contact sheet (--sheet F.html); if the masks lie wrong, 'segnext data import' with "
            "--exif stored turns them, and with --exif upright it leaves them as they are",
            len(unclear),
            examples([named(i.image, f"orientation {r.image.orientation}") for i, r in unclear]),
        )


def kind_of(image: Image) -> str:
    """What a picture is, in words: "RGB", "grey", "16-bit grey", "5 bands"."""
    if image.mode in ("float", "F") or (image.mode.startswith("I") and image.bits > 16):
        return f"{image.bits}-bit {'float' if image.mode in ('float', 'F') else 'integer'}"
    names = {"L": "grey", "1": "black and white", "P": "palette", "RGBA": "RGB with alpha", "LA": "grey with alpha"}
    name = "grey" if image.mode.startswith("I") else names.get(image.mode, image.mode)
    if image.mode == "bands" or image.bands > 4:
        name = f"{image.bands} bands"
    return f"16-bit {name}" if image.bits == 16 else name


def _kinds(case: Case) -> Iterator[Finding]:
    kinds = Counter(kind_of(record.image) for _, record in case.pairs() if record.image.mode)
    if len(kinds) > 1 and case.survey.bands is None:
        usual = kinds.most_common(1)[0][0]
        others = [
            named(i.image, kind_of(r.image)) for i, r in case.pairs() if r.image.mode and kind_of(r.image) != usual
        ]
        yield Finding(
            "mixed-images",
            Severity.WARNING,
            f"pictures of several kinds: {listed(f'{number:,} {kind}' for kind, number in kinds.most_common())}",
            "all are read as 8-bit RGB: transparency becomes white; they may come from different sources",
            "nothing, if that is right; else save them alike",
            len(others),
            examples(others),
        )
    pages = [named(i.image, f"{r.image.frames} pictures") for i, r in case.pairs() if r.image.frames > 1]
    if pages:
        yield Finding(
            "animated-images",
            Severity.NOTE,
            f"{counted(len(pages), 'file')} with several pages or frames",
            "the first is read",
            "nothing, if the mask belongs to the first",
            len(pages),
            examples(pages),
        )
    blank = [str(i.image) for i, r in case.pairs() if r.image.thumb and min(r.image.thumb) == max(r.image.thumb)]
    if blank:
        yield Finding(
            "blank-images",
            Severity.WARNING,
            f"{counted(len(blank), 'picture')} of one colour all over",
            "there is nothing to see, so the mask cannot be learned from",
            "look at them and remove the pairs",
            len(blank),
            examples(blank),
        )


def _sizes(case: Case) -> Iterator[Finding]:
    sides = sorted((sqrt(w * h), str(i.image), (w, h)) for i, r in _good(case) for w, h in [r.image.upright])
    if sides and sides[-1][0] > SPREAD * sides[0][0]:
        (_, small, size), (_, large, other) = sides[0], sides[-1]
        yield Finding(
            "sizes-vary",
            Severity.NOTE,
            f"pictures from {_by(size)} to {_by(other)}, the middle one {_by(sides[len(sides) // 2][2])}",
            "things appear at very different scales, and crops hold all of a small picture but a corner of a large one",
            "train with --short_side N to bring all to one scale, or cut the large ones into tiles",
            len(sides),
            (named_size(small, size), named_size(large, other)),
        )
    tiny = [named_size(name, size) for _, name, size in sides if min(size) < SMALL]
    if tiny:
        yield Finding(
            "tiny-images",
            Severity.WARNING,
            f"{counted(len(tiny), 'picture')} narrower than {SMALL} pixels ({share(len(tiny), len(sides))})",
            "thumbnails or strays; the network's coarsest map would have one pixel across",
            "enlarge or remove them",
            len(tiny),
            examples(tiny),
        )


def named_size(name: str, size: tuple[int, int]) -> str:
    """A file with its picture's size."""
    return f"{name} ({_by(size)})"
