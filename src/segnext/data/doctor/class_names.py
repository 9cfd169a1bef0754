"""Findings about the names of the class list."""

from collections.abc import Iterator

from segnext.data.alike import alike
from segnext.data.doctor.advice import merge_command
from segnext.data.doctor.case import Case
from segnext.data.doctor.findings import Finding, Severity
from segnext.words import counted, listed


def judge_class_names(case: Case) -> Iterator[Finding]:
    """Classes of dataset.yaml whose names say that they were meant to be one."""
    groups = alike(case.labels.classes) if case.labels else []
    if groups:
        number = sum(map(len, groups))
        shown = listed((" and ".join(f"'{name}'" for name in group) for group in groups), 3)
        by_hand = "draw the masks of each such class as one, and take the other names off the list in dataset.yaml"
        yield Finding(
            "classes-alike",
            Severity.WARNING,
            f"{counted(number, 'class', 'classes')} whose names differ in case, blanks or hyphens alone: {shown}",
            "if they mean one class, it is learned as several that cannot be told apart",
            merge_command(case.survey, groups) or by_hand,
            number,
        )
