"""Findings about masks that are unlike the others: inverted, or the same for different pictures."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from segnext.data.doctor.advice import import_command, named_masks
from segnext.data.doctor.case import Case
from segnext.data.doctor.encoding import Encoding
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.words import counted

FEWEST = 8  # masks of two classes, below which none can be called unusual
MOST = 0.3  # share of the masks that may be inverted; of more, either half may be right
CLEFT = 0.2  # between the share of the second class in inverted masks and in the others


def judge_outliers(case: Case, found: Encoding) -> Iterator[Finding]:
    """Everything about masks that are unlike the others."""
    yield from _inverted(case, found)
    if not case.sampled:
        yield from _shared(case)


def _inverted(case: Case, found: Encoding) -> Iterator[Finding]:
    """Masks of two classes in a few of which the classes have changed places."""
    two = case.labels is not None and len(case.labels) == 2
    ignored = {case.labels.ignore} if case.labels and two and {0, 1} <= found.solid else set()
    low, *rest = sorted(found.solid - ignored) or [0]
    if len(rest) != 1 or len(found.numbered) < FEWEST:
        return
    shares: list[tuple[float, Path]] = []
    for item, record in found.numbered:
        counts = record.mask.values.counts if record.mask.values else {}
        both = counts.get(low, 0) + counts.get(rest[0], 0)
        if both:
            shares.append((counts.get(rest[0], 0) / both, item.mask))
    shares.sort(reverse=True)
    few = [share for share, _ in shares if share > 0.5]
    usual = [share for share, _ in shares if share <= 0.5]
    if len(few) > len(usual):  # the second class is the larger one
        few, usual, shares = [1 - share for share in usual], [1 - share for share in few], shares[::-1]
    if not few or len(few) > MOST * len(shares) or min(few) - max(usual) < CLEFT:
        return
    names = [name for _, name in shares[: len(few)]]
    yield Finding(
        "inverted-masks",
        Severity.WARNING,
        f"{counted(len(few), 'mask')} of {len(shares):,} may be inverted: the two classes seem to have changed places",
        f"in these one class covers at least {100 * min(few):.0f} % and in all the others at most "
        f"{100 * max(usual):.0f} %; pictures that it does fill are no error",
        f"look at them in the contact sheet (--sheet F.html), and {_invert(case, found, {low, rest[0]}, names)}",
        len(few),
        examples(names),
    )


def _invert(case: Case, found: Encoding, values: set[int], masks: list[Path]) -> str:
    """What inverts masks of black and white, or of 0 and 1."""
    source = {(0, 1): "labels", (0, 255): "binary"}.get((min(values), max(values)))
    names = named_masks(case.survey, masks)
    if (
        source is None
        or names is None
        or found.color
        or found.kind == "colors"
        or (found.palette and source == "binary")
    ):
        return "invert those that are wrong"
    return f"name those that are wrong to {import_command(case.survey, source, '--invert', names)}"


def _shared(case: Case) -> Iterator[Finding]:
    """One mask for several pictures, unless these are copies of each other or the mask holds one value only."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, record in enumerate(case.records):
        if record.mask.values is not None and record.mask.values.distinct > 1 and record.image.digest:
            groups[record.mask.digest].append(index)
    lines: list[str] = []
    for group in groups.values():
        pictures = {case.records[index].image.digest: index for index in group}
        if len(pictures) > 1:
            first, *others = sorted(pictures.values())
            lines += [f"{case.survey.items[first].mask} = {case.survey.items[other].mask}" for other in others]
    if lines:
        yield Finding(
            "same-masks",
            Severity.WARNING,
            f"{counted(len(lines), 'mask')} the same, pixel for pixel, as that of a different picture",
            "two pictures hardly ever have one outline, unless nothing moves between frames: a wrong mask was probably "
            "copied or saved under several names",
            "look at them in the contact sheet (--sheet F.html), and give each picture its own mask",
            len(lines),
            examples(lines),
        )
