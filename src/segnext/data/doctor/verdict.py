"""The doctor's report: for people on the console, and for programs."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segnext.data.doctor.check import Diagnosis
from segnext.data.doctor.classes import count_classes
from segnext.data.doctor.findings import Finding, Severity
from segnext.words import counted, printable

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


def print_report(report: Diagnosis, console: "Console") -> None:
    """What there is, then every finding with examples and what mends it, then the verdict."""
    from rich.text import Text

    for line in overview(report):
        console.print(Text(line), soft_wrap=True)
    print_findings(report.findings, console)


def print_findings(findings: Sequence[Finding], console: "Console") -> None:
    """Every finding with examples and what mends it, then the verdict."""
    from rich.text import Text

    for finding in findings:
        console.print()
        _print_finding(finding, console)
    console.print()
    console.print(Text(verdict(findings)), soft_wrap=True)


def _print_finding(finding: Finding, console: "Console") -> None:
    from rich.padding import Padding
    from rich.text import Text

    name = finding.severity.name.lower()
    head = Text.assemble((f"{name:8}", STYLES[finding.severity]), (finding.title, "bold"))
    lines = [Text(f"{finding.why[:1].upper()}{finding.why[1:]}.", "dim")]
    if finding.files:
        more = ", ..." if finding.count > len(finding.files) else ""
        lines.append(Text(f"such as {', '.join(finding.files)}{more}"))
    console.print(head, soft_wrap=True)
    for line in lines:
        if console.is_terminal:
            console.print(Padding(line, (0, 0, 0, 8)))
        else:
            console.print(Text(" " * 8) + line, soft_wrap=True)
    for advice in finding.fix.splitlines():  # never wrapped, so that commands can be copied
        console.print(Text(" " * 8) + Text(f"-> {advice}", "green"), soft_wrap=True)


def overview(report: Diagnosis) -> list[str]:
    """What the folder holds, a line each for pairs and classes."""
    survey = report.case.survey
    splits = ", ".join(f"{name or 'in no split'} {len(indices):,}" for name, indices in survey.splits().items())
    lines = [
        f"{printable(str(survey.root))}: {counted(len(survey.items), 'pair')}"
        + (f" ({splits})" if survey.items else "")
    ]
    labels = survey.labels
    if labels:
        source = "read in place as" if survey.in_place else "dataset.yaml:"
        lines.append(
            f"{source} {labels.name}, {counted(len(labels), 'class', 'classes')}, ignore label {labels.ignore}"
            + (f", bands {', '.join(survey.bands.names)}" if survey.bands else "")
        )
    elif not survey.labels_error:
        lines.append("dataset.yaml: there is none, so what the labels mean is not known")
    return lines


def verdict(findings: Sequence[Finding]) -> str:
    """The last line: how many findings of each severity."""
    if not findings:
        return "clean: nothing to mend"
    counts = Counter(finding.severity for finding in findings)
    numbers = [counted(counts[severity], severity.name.lower()) for severity in Severity if counts[severity]]
    return ", ".join(numbers) + ("" if any(f.severity < Severity.NOTE for f in findings) else ": nothing to mend")


def exit_code(report: Diagnosis) -> int:
    """Say 0 for clean or notes only, 1 for errors or warnings, 2 when there was nothing to check."""
    if not report.case.survey.items:
        return 2
    return int(any(finding.severity < Severity.NOTE for finding in report.findings))


def to_dict(report: Diagnosis) -> dict[str, Any]:
    """Plain data for JSON."""
    survey = report.case.survey
    content: dict[str, Any] = {
        "folder": printable(str(survey.root)),
        "pairs": len(survey.items),
        "splits": {name: len(indices) for name, indices in survey.splits().items()},
        "ready": survey.in_place or (survey.ready and survey.labels is not None),
        "masks": report.encoding.kind,
        "counts": {severity.name.lower(): report.count(severity) for severity in Severity},
        "findings": [finding.to_dict() for finding in report.findings],
    }
    if survey.labels and report.encoding.kind == "labels":
        content["classes"] = {
            split: {
                name: {"pixels": count, "pictures": inside}
                for name, count, inside in zip(survey.labels.classes, pixels, files, strict=True)
            }
            for split, (pixels, files) in count_classes(report.case, survey.labels).items()
        }
    return content


def class_rows(report: Diagnosis) -> dict[str, dict[str, float]]:
    """The share of the labelled pixels of each class, for every split: classes, else labels or colours."""
    labels, encoding = report.case.labels, report.encoding
    if labels and encoding.kind == "labels":
        return {
            split: {name: count / max(sum(pixels), 1) for name, count in zip(labels.classes, pixels, strict=True)}
            for split, (pixels, _) in count_classes(report.case, labels).items()
        }
    counts = encoding.colors if encoding.kind == "colors" else encoding.pixels
    write = (lambda value: f"#{value:06x}") if encoding.kind == "colors" else str
    total = counts.total()
    return {"": {write(value): count / max(total, 1) for value, count in counts.most_common(16)}}
