"""Findings about masks of more than 8 bits or one channel."""

from collections import Counter
from collections.abc import Iterator

from segnext.data.doctor.advice import full_import
from segnext.data.doctor.case import Case, named
from segnext.data.doctor.encoding import Encoding, Pair
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.data.doctor.records import Mask
from segnext.words import counted, listed


def judge_depth(case: Case, found: Encoding) -> Iterator[Finding]:
    """Masks that are more than one 8-bit number per pixel, though no colours."""
    wide = [pair for pair in found.grey if pair[1].mask.mode.startswith("I")]
    floats = [pair for pair in found.grey if pair[1].mask.mode == "F"]
    equal = [pair for pair in found.grey if pair[1].mask.equal_channels]
    for pairs, code, what, why in (
        (wide, "16-bit-masks", "16 or 32 bits", "training reads masks of 8 bits"),
        (floats, "float-masks", "floating-point numbers", "training reads whole numbers"),
        (
            equal,
            "grey-rgb-masks",
            "RGB with three equal channels, or with a shape in alpha",
            "training reads one channel",
        ),
    ):
        if pairs:
            largest = max((max(pair[1].mask.values.counts) for pair in pairs if pair[1].mask.values), default=0)
            fractions = any(min(pair[1].mask.values.counts) < 0 for pair in pairs if pair[1].mask.values)
            yield Finding(
                code,
                Severity.ERROR,
                f"{counted(len(pairs), 'mask')} of {what} ({_kinds(pairs)})"
                + (f", values up to {largest:,}" if largest > 0 else ""),
                f"{why} and refuses these",
                f"for two classes, {full_import(case.survey, found)} divides them in the middle; else save whole "
                "numbers, for example numpy.rint(mask * (classes - 1)), as 8-bit PNG"
                if fractions
                else full_import(case.survey, found),
                len(pairs),
                examples([str(item.mask) for item, _ in pairs]),
            )
    shapes = [(item, record) for item, record in case.pairs() if record.mask.mode == "bands" or record.mask.frames > 1]
    if shapes:
        yield Finding(
            "multi-band-masks",
            Severity.ERROR,
            f"{counted(len(shapes), 'mask')} with several bands or pages",
            "one band per class (one-hot) must become one label per pixel",
            "save the number of the band that is set, for example numpy.argmax(mask, axis=-1), as 8-bit PNG",
            len(shapes),
            examples([named(item.mask, _layers(record.mask)) for item, record in shapes]),
        )


def _layers(mask: Mask) -> str:
    return f"{mask.frames} pages" if mask.frames > 1 else f"{mask.bands} bands"


def _kinds(pairs: list[Pair]) -> str:
    kinds = Counter(record.mask.mode for _, record in pairs)
    return listed(f"{number:,} {kind}" for kind, number in kinds.most_common())
