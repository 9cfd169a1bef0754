"""Findings about pictures that have several masks: of objects, of classes, or of several people."""

import re
from collections import Counter
from collections.abc import Iterator

from segnext.data.doctor.advice import command, full_import
from segnext.data.doctor.case import Case
from segnext.data.doctor.encoding import Encoding
from segnext.data.doctor.findings import Finding, found
from segnext.words import counted, listed


def judge_several(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Everything about masks beside the one that each picture has."""
    pairing = case.survey.pairing
    known = {mask for parts in pairing.several.values() for _, mask in parts}
    if pairing.choices:
        yield _choice(case, encoding)
        return
    if pairing.several:
        names = class_names(case)
        kind, fix = "mask-per-class" if names else "mask-per-object", full_import(case, encoding)
        pictures = counted(len(pairing.several), "picture")
        yield found(kind, sorted(known), pictures=pictures, classes=listed(names), fix=fix)
    if more := [mask for mask in pairing.many_masks if mask not in known]:
        yield found("several-masks", more)


def _choice(case: Case, encoding: Encoding) -> Finding:
    """Folders of masks that fit the same pictures."""
    choices = case.survey.pairing.choices
    (chosen, fits), *others = choices
    checks = (command("check", case.survey.root, "--masks", name.rstrip("/")) for name, _ in others)
    return found(
        "mask-choice",
        case.survey.pairing.many_masks,
        len(choices),
        fits=min(count for _, count in choices),
        total=fits,
        folders=listed(name for name, _ in choices),
        chosen=chosen,
        others="\n".join(checks),
        fix=full_import(case, encoding),
    )


def class_names(case: Case) -> list[str]:
    """What the masks of each picture are named after, if that is a class and not a number: crack, hole."""
    parts = [part for several in case.survey.pairing.several.values() for part in several]
    names = Counter(re.sub(r"[ _\-.]*\d+$", "", what) for what, _ in parts)
    return sorted(names) if len(names) > 1 and "" not in names and len(parts) > 1.5 * len(names) else []
