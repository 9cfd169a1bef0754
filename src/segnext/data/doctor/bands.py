"""Findings about the bands of pictures and their bits: those that dataset.yaml names, and those it does not."""

from collections import Counter
from collections.abc import Iterator

from segnext.data.doctor.case import Case, named
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.data.doctor.records import Image
from segnext.preprocess import Bands
from segnext.words import counted, listed


def judge_bands(case: Case) -> Iterator[Finding]:
    """Everything about the number of bands and their depth."""
    if case.survey.bands is None:
        yield from _unnamed(case)
        yield from _deep(case)
    else:
        yield from _other_bands(case, case.survey.bands)
        yield from _other_depth(case)


def _said(image: Image) -> str:
    return f"{counted(image.bands, 'band')} of {image.bits} bits"


def _unnamed(case: Case) -> Iterator[Finding]:
    found = [(item, record.image) for item, record in case.pairs() if record.image.multiband]
    if not found:
        return
    most = Counter(image.bands for _, image in found).most_common(1)[0][0]
    names = ", ".join(f"band{number}" for number in range(1, most + 1))
    yield Finding(
        "unnamed-bands",
        Severity.ERROR,
        f"{counted(len(found), 'picture')} with more bands than red, green, blue and transparency",
        "dataset.yaml names no bands, so pictures are taken for 8-bit RGB, and these would lose the others",
        f"add 'bands: [{names}]' to dataset.yaml, with their names in the files' order",
        len(found),
        examples([named(item.image, _said(image)) for item, image in found]),
    )


def _deep(case: Case) -> Iterator[Finding]:
    found = [(i, r.image) for i, r in case.pairs() if r.image.bits >= 16 and not r.image.multiband]
    if found:
        yield Finding(
            "deep-images",
            Severity.WARNING,
            f"{counted(len(found), 'picture')} of 16 bits or floats",
            "dataset.yaml names no bands, so they are read as 8-bit RGB: the lower bits are lost, and values that fill "
            "a small part of the range become nearly black",
            "add 'bands: [grey]', or the names of their bands, to dataset.yaml, and they are read as they are",
            len(found),
            examples([named(item.image, _said(image)) for item, image in found]),
        )


def _other_bands(case: Case, bands: Bands) -> Iterator[Finding]:
    pictures = [(item, record.image) for item, record in case.pairs() if record.image.bands]
    wrong = [(item, image) for item, image in pictures if image.bands != len(bands.names)]
    if not wrong:
        return
    kinds = Counter(image.bands for _, image in pictures)
    alike = len(kinds) == 1
    yield Finding(
        "band-count",
        Severity.ERROR,
        f"{counted(len(wrong), 'picture')} with another number of bands than the {len(bands.names)} in dataset.yaml: "
        + listed(f"{number:,} of {counted(count, 'band')}" for count, number in kinds.most_common()),
        f"dataset.yaml names {', '.join(bands.names)}; training refuses files that have more or fewer",
        f"name all {wrong[0][1].bands} in dataset.yaml, in the files' order" if alike else "save all with these bands",
        len(wrong),
        examples([named(item.image, counted(image.bands, "band")) for item, image in wrong]),
    )


def _other_depth(case: Case) -> Iterator[Finding]:
    pictures = [(item, record.image) for item, record in case.pairs() if record.image.bands]
    shallow = [(item, image) for item, image in pictures if image.bits <= 8]
    deep = [(item, image) for item, image in pictures if image.bits > 8]
    if shallow and deep:
        fewer = min(shallow, deep, key=len)
        yield Finding(
            "mixed-depth",
            Severity.ERROR,
            f"{counted(len(shallow), 'picture')} of 8 bits among {len(deep):,} of more",
            "the same number means something else in them, so training refuses one of the two",
            "save all pictures in the same units",
            len(fewer),
            examples([named(item.image, f"{image.bits} bits") for item, image in fewer]),
        )
