"""Findings about labels that count from 1: those of all masks, or of some among others that count from 0."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from segnext.data.doctor.advice import import_command, named_masks
from segnext.data.doctor.case import Case
from segnext.data.doctor.encoding import Encoding
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.labels import Labels
from segnext.words import counted, listed

SOME = "some-labels-from-one"  # the finding's code
UNCLEAR = 12  # masks named that may be of either kind
CHANCE = 0.5  # that masks with a label beyond the classes all lack 0, up to which they are taken for shifted


def some_from_one(case: Case, found: Encoding, labels: Labels, outside: Sequence[int]) -> Finding | None:
    """Masks that hold the label after the last class and never 0, among masks that do hold 0.

    Args:
        case: the data set.
        found: its masks.
        labels: the class list.
        outside: the labels in use that it does not have.
    """
    beyond = len(labels) + (labels.ignore == len(labels))  # the ignore label is one higher too
    if beyond not in outside or not {*outside} <= {beyond, labels.ignore + 1}:
        return None
    held = [(item.mask, values.counts.keys()) for item, r in found.numbered if (values := r.mask.values)]
    shifted = [file for file, values in held if beyond in values]
    zero = sum(0 in values for _, values in held)
    unclear = [file for file, values in held if not {0, beyond} & values and {*values} != {labels.ignore}]
    if not zero or any({0, beyond} <= values for _, values in held):  # a class that the list lacks, or to be ignored
        return None
    if (len(unclear) / (zero + len(unclear))) ** len(shifted) > CHANCE:
        return None
    return _finding(case, labels, shifted, beyond, zero, unclear)


def _finding(case: Case, labels: Labels, masks: list[Path], beyond: int, zero: int, unclear: list[Path]) -> Finding:
    many = len(masks) > 1
    why = (
        f"labels {beyond} and 0 never occur in one mask: as if {'these were' if many else 'this were'} numbered from "
        f"1, so that every class has the next one's label; no fault if {beyond} is a further label to be ignored"
    )
    if unclear:
        why += (
            f"; {counted(len(unclear), 'mask')} with neither 0 nor {beyond} may be of either kind, so look at them and "
            f"add to the names those that are shifted too: {listed(sorted(map(str, unclear)), UNCLEAR)}"
        )
    return Finding(
        SOME,
        Severity.ERROR,
        f"{counted(len(masks), 'mask')} {'count' if many else 'counts'} labels from 1, {zero:,} "
        f"{'others count' if zero > 1 else 'other counts'} from 0: label {beyond}, where the {len(labels)} classes are "
        f"0 to {len(labels) - 1}",
        why,
        _fix(case, masks),
        len(masks),
        examples(masks),
    )


def _fix(case: Case, masks: list[Path]) -> str:
    if case.sampled:  # the others are not known
        return (
            f"segnext data check {shlex.quote(str(case.survey.root))} names them all, and the command that mends them"
        )
    names = named_masks(case.survey, masks)
    if names is None:
        return "subtract 1 from the labels of these masks"
    return import_command(case.survey, "labels", "--offset", "-1", "--offset-in", names)
