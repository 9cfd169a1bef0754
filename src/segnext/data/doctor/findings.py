"""What the doctor found: one kind of problem, how often, where, and what mends it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

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
            "title": readable(self.title),
            "why": readable(self.why),
            "fix": readable(self.fix),
            "count": self.count,
            "files": [readable(file) for file in self.files],
        }


def readable(text: str) -> str:
    """`text` with the bytes of file names that are not valid text written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first; within a severity in the order they were found."""
    return sorted(findings, key=lambda finding: finding.severity)


def examples(files: Sequence[Path | str]) -> tuple[str, ...]:
    """A few of `files`, spread evenly over them."""
    step = max(1, len(files) // EXAMPLES)
    return tuple(str(file) for file in files[::step][:EXAMPLES])


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """The number with its noun: "1 mask", "1,204 masks"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Iterable[object], limit: int = 8) -> str:
    """The first words, separated by commas."""
    shown = [str(word) for word in words]
    return ", ".join(shown[:limit]) + (", ..." if len(shown) > limit else "")


def share(part: float, whole: float) -> str:
    """A percentage with as many digits as it needs."""
    percent = 100 * part / max(whole, 1)
    if percent == 0 or percent >= 10:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.1 else f"{max(percent, 0.0001):.2g} %"
