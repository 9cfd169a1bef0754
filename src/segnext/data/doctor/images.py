"""Findings about pictures: sizes, rotation, bits, bands and kinds."""

from collections import Counter
from collections.abc import Iterator
from math import sqrt

from segnext.data.doctor.advice import full_import
from segnext.data.doctor.case import Case, Pair, named
from segnext.data.doctor.encoding import Encoding
from segnext.data.doctor.findings import Finding, Severity, found
from segnext.data.doctor.records import Image, PairRecord
from segnext.data.formats.rotation import is_alike
from segnext.preprocess import Bands
from segnext.words import counted, listed, share

SPREAD = 4.0  # ratio of side lengths between the largest and smallest pictures that is pointed out
SMALL = 32  # pixels; the network's last maps have a 32nd of the side


def judge_images(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Everything about the pictures, and their size against the mask's."""
    yield from _sizes_differ(case, encoding)
    yield from _rotated(case, encoding)
    yield from _kinds(case)
    yield from _sizes(case)


def _good(case: Case) -> list[Pair]:
    return [(item, record) for item, record in case.pairs() if record.image.size[0] and record.mask.size[0]]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _is_unrotated(record: PairRecord) -> bool:
    """Whether the mask fits the picture as stored, and not as it is seen."""
    image, mask = record.image, record.mask
    return image.orientation >= 5 and mask.upright == image.size != image.upright


def _sizes_differ(case: Case, encoding: Encoding) -> Iterator[Finding]:
    unlike = [pair for pair in _good(case) if pair[1].image.upright != pair[1].mask.size]
    pairs = [pair for pair in unlike if not _is_unrotated(pair[1])]
    if not pairs:
        return
    causes = Counter(_cause(record) for _, record in pairs)
    resized = case.resized()
    swapped = ", of ".join(_swapped(pairs)[:4])
    why = ", and only you can tell whether the mask was resized or belongs to another picture"
    if swapped:
        why += f"; the masks of {swapped} fit each other's pictures: their names may be exchanged"
    why += _which(resized)
    fix = "export these masks again at the picture's size, or remove the pairs"
    if resized:
        rest = "" if len(resized) == len(pairs) else " (it names those of another shape, which stay out)"
        fix = f"export these masks again at the picture's size, or let the import resize them{rest}:"
        fix += f"\n{full_import(case, encoding)}"
    yield found(
        "sizes-differ",
        [named(i.image, f"{_by(r.image.upright)}, mask {_by(r.mask.size)}") for i, r in pairs],
        causes=listed((f"{number:,} {cause}" for cause, number in causes.most_common()), 4),
        why=why,
        fix=fix,
    )


def _swapped(pairs: list[Pair]) -> list[str]:
    """Twos of masks, each of the size of the other's picture."""
    by_sizes = {(record.image.upright, record.mask.size): item.image.name for item, record in pairs}
    twos = {sizes: by_sizes.get((sizes[1], sizes[0])) for sizes in by_sizes}
    return [f"{name} and {twos[sizes]}" for sizes, name in by_sizes.items() if twos[sizes] and name < str(twos[sizes])]


def _cause(record: PairRecord) -> str:
    (width, height), (mask_width, mask_height) = record.image.upright, record.mask.size
    if (mask_width, mask_height) == (height, width):
        return "turned by 90 degrees"
    if max(abs(mask_width - width), abs(mask_height - height)) <= 2:
        return "off by a pixel or two"
    return "resized" if is_alike(record.mask.size, record.image.upright) else "of another shape"


def _which(resized: list[Pair]) -> str:
    """Which side of the pairs was probably resized: the one of which all have one size, else the smaller one."""
    if not resized:
        return ""
    sides = {"picture": {r.image.upright for _, r in resized}, "mask": {r.mask.size for _, r in resized}}
    one = [side for side, sizes in sides.items() if len(sizes) == 1]
    smaller = sum(r.mask.size[0] < r.image.upright[0] for _, r in resized)
    side = one[0] if len(one) == 1 else "mask" if 2 * smaller > len(resized) else "picture"
    scales = sorted(r.mask.size[0] / r.image.upright[0] for _, r in resized)
    scale = f"{scales[0]:.2g}" if scales[-1] < 1.02 * scales[0] else f"{scales[0]:.2g} to {scales[-1]:.2g}"
    told = f"all {side}s have one size" if len(one) == 1 else f"the {side}s are the smaller ones"
    return f"; masks have {scale} times the pictures' width, and {told}, so the {side}s were probably resized"


def _rotated(case: Case, encoding: Encoding) -> Iterator[Finding]:
    wrong = [(item, record) for item, record in _good(case) if _is_unrotated(record)]
    if wrong:
        lines = [named(i.image, f"orientation {r.image.orientation}, mask {_by(r.mask.size)}") for i, r in wrong]
        yield found("exif-rotated", lines, fix=full_import(case, encoding))
    if case.unclear and not case.sampled:
        turned = case.turned
        yield found(
            "exif-unclear",
            [named(i.image, f"orientation {r.image.orientation}") for i, r in case.unclear],
            severity=Severity.NOTE if turned and turned.drawn_on == "upright" else None,
            measured=str(turned or "and no border of theirs tells"),
            fix=_turn(case, encoding),
        )


def _turn(case: Case, encoding: Encoding) -> str:
    drawn_on = case.turned.drawn_on if case.turned else None
    if drawn_on == "upright" and case.survey.ready:
        return "nothing: they lie right"
    if drawn_on:
        return f"look at them in the contact sheet (--sheet F.html); if it agrees:\n{full_import(case, encoding)}"
    command = full_import(case, encoding)
    return (
        "look at them in the contact sheet (--sheet F.html); if the masks lie right:\n"
        f"{command} --exif upright\nelse:\n{command} --exif stored"
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
        yield found(
            "mixed-images",
            [named(i.image, kind_of(r.image)) for i, r in case.pairs() if r.image.mode and kind_of(r.image) != usual],
            kinds=listed(f"{number:,} {kind}" for kind, number in kinds.most_common()),
        )
    if pages := [named(i.image, f"{r.image.frames} pictures") for i, r in case.pairs() if r.image.frames > 1]:
        yield found("animated-images", pages)
    if blank := [i.image for i, r in case.pairs() if r.image.thumb and min(r.image.thumb) == max(r.image.thumb)]:
        yield found("blank-images", blank)


def _sizes(case: Case) -> Iterator[Finding]:
    sides = sorted((sqrt(w * h), str(i.image), (w, h)) for i, r in _good(case) for w, h in [r.image.upright])
    if sides and sides[-1][0] > SPREAD * sides[0][0]:
        (_, small, size), (_, large, other) = sides[0], sides[-1]
        yield found(
            "sizes-vary",
            [named(small, _by(size)), named(large, _by(other))],
            len(sides),
            small=_by(size),
            large=_by(other),
            middle=_by(sides[len(sides) // 2][2]),
        )
    if tiny := [named(name, _by(size)) for _, name, size in sides if min(size) < SMALL]:
        yield found("tiny-images", tiny, small=SMALL, share=share(len(tiny), len(sides)))


def judge_bands(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Everything about the number of bands and their depth."""
    if case.survey.bands is None:
        yield from _unnamed(case, encoding)
    else:
        yield from _named(case, case.survey.bands)


def _said(image: Image) -> str:
    return f"{counted(image.bands, 'band')} of {image.bits} bits"


def _unnamed(case: Case, encoding: Encoding) -> Iterator[Finding]:
    pictures = [(item.image, record.image) for item, record in case.pairs()]
    if many := [named(file, _said(image)) for file, image in pictures if image.multiband]:
        names = ", ".join(case.band_names())
        fix = f"add 'bands: [{names}]' to dataset.yaml, with their names in the files' order; or as the import does it:"
        yield found("unnamed-bands", many, fix=f"{fix}\n{full_import(case, encoding)}")
    if deep := [named(file, _said(image)) for file, image in pictures if image.bits >= 16 and not image.multiband]:
        yield found("deep-images", deep)


def _named(case: Case, bands: Bands) -> Iterator[Finding]:
    pictures = [(item.image, record.image) for item, record in case.pairs() if record.image.bands]
    wrong = [(file, image) for file, image in pictures if image.bands != len(bands.names)]
    if wrong:
        kinds = Counter(image.bands for _, image in pictures)
        name_all = f"name all {wrong[0][1].bands} in dataset.yaml, in the files' order"
        yield found(
            "band-count",
            [named(file, counted(image.bands, "band")) for file, image in wrong],
            named=len(bands.names),
            kinds=listed(f"{number:,} of {counted(count, 'band')}" for count, number in kinds.most_common()),
            names=", ".join(bands.names),
            fix=name_all if len(kinds) == 1 else "save all with these bands",
        )
    shallow = [(file, image) for file, image in pictures if image.bits <= 8]
    deep = [(file, image) for file, image in pictures if image.bits > 8]
    if shallow and deep:
        fewer = min(shallow, deep, key=len)
        lines = [named(file, f"{image.bits} bits") for file, image in fewer]
        yield found("mixed-depth", lines, shallow=len(shallow), deep=len(deep))
