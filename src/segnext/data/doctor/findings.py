"""What the doctor found: one kind of problem, how often, where, and what mends it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from segnext.words import printable

EXAMPLES = 4  # files named with a finding


class Severity(IntEnum):
    """How bad a finding is.

    ERROR stops a training or spoils its result, WARNING may do so, NOTE is good to know.
    """

    ERROR = 0
    WARNING = 1
    NOTE = 2


@dataclass(frozen=True)
class Finding:
    """One kind of problem in a data set.

    Attributes:
        code: a short stable name, for programs.
        severity: how bad it is.
        title: what was found, with its count, in one line.
        why: what comes of it, in a sentence or two.
        fix: the command, setting or change that mends it.
        count: number of files, pairs or classes that it concerns.
        files: a few of them, relative to the data set's folder, some with what is wrong there.
    """

    code: str
    severity: Severity
    title: str
    why: str
    fix: str
    count: int
    files: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "code": self.code,
            "severity": self.severity.name.lower(),
            "title": printable(self.title),
            "why": printable(self.why),
            "fix": printable(self.fix),
            "count": self.count,
            "files": [printable(file) for file in self.files],
        }


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first; within a severity in the order they were found."""
    return sorted(findings, key=lambda finding: finding.severity)


def examples(files: Sequence[Path | str]) -> tuple[str, ...]:
    """A few of `files`, spread evenly over them."""
    step = max(1, len(files) // EXAMPLES)
    return tuple(str(file) for file in files[::step][:EXAMPLES])
