"""What the doctor found: one kind of problem, how often, where, and what mends it. The texts are in findings.yaml."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any

import yaml

from segnext.words import counted, printable

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
        fix: the command, setting or change that mends it; each command is a line of its own.
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

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands in `fix`."""
        return tuple(line for line in self.fix.splitlines() if line.startswith("segnext "))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        lists = {"commands": list(self.commands), "files": list(self.files)}
        return {**asdict(self), "severity": self.severity.name.lower(), **lists}


class Number(int):
    """A count in a text: {n} is "1,204", {n:mask} "1,204 masks", {n:class|classes} "2 classes", {n:/is/are} "are"."""

    def __format__(self, spec: str) -> str:
        """Write the number, with its noun or as the word that agrees with it."""
        if spec.startswith("/"):
            return spec.split("/")[1 if self == 1 else 2]
        noun, _, plural = spec.partition("|")
        return counted(int(self), noun, plural or None) if spec else f"{int(self):,}"


@cache
def table() -> dict[str, dict[str, str]]:
    """The texts of every kind of finding, by code."""
    content = resources.files(__package__).joinpath("findings.yaml").read_text(encoding="utf-8")
    entries: dict[str, dict[str, str]] = yaml.safe_load(content)
    return entries


def found(
    kind: str,
    files: Sequence[object] = (),
    count: int | None = None,
    /,
    *,
    severity: Severity | None = None,
    **words: object,
) -> Finding:
    """A finding of the table.

    Args:
        kind: its entry.
        files: all files that it concerns, of which a few are named.
        count: how many these are, if not all are in `files`.
        severity: where it is not that of the table.
        words: what its texts have places for.
    """
    entry = table()[kind]
    number = len(files) if count is None else count
    values = {name: Number(word) if type(word) is int else word for name, word in words.items()}
    title, why, fix = (entry[part].format(n=Number(number), **values) for part in ("title", "why", "fix"))
    fix = "\n".join(printable(line) for line in fix.rstrip().split("\n"))
    level = Severity[entry["severity"].upper()] if severity is None else severity
    return Finding(entry.get("code", kind), level, printable(title), printable(why), fix, number, examples(files))


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first; within a severity in the order they were found."""
    return sorted(findings, key=lambda finding: finding.severity)


def examples(files: Sequence[object]) -> tuple[str, ...]:
    """A few of `files`, spread evenly over them."""
    step = max(1, len(files) // EXAMPLES)
    return tuple(printable(file) for file in files[::step][:EXAMPLES])
