"""The ablation's results for people, as Markdown, and for programs."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segnext.compare.ablation import Outcome
from segnext.model.ablations import GROUPS, Row

TITLES = {
    "msca": "Attention (MSCA)",
    "decoder": "Decoder",
    "context": "Context",
}
HEAD = "| {what} | val mIoU % | vs full | paper, ADE20K | vs full | params M | multiply-adds G | s/step | steps |\n"
RULE = "|---|---|---|---|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Line:
    """A row with what it reached, beside the row "full" of its group.

    Attributes:
        row: what was changed.
        outcome: what it reached.
        miou: mean over the seeds in %; NaN when there is none.
        spread: standard deviation over the seeds in points; NaN for one seed.
        gain: `miou` less that of "full".
        paper_gain: the paper's score less its score of "full"; None where it has none.
    """

    row: Row
    outcome: Outcome
    miou: float
    spread: float
    gain: float
    paper_gain: float | None


def lines(outcomes: Mapping[str, Outcome]) -> Iterator[tuple[str, list[Line]]]:
    """The groups that have a row beside "full", with the lines of what was run."""
    for group, rows in GROUPS.items():
        run = [row for row in rows if row.name in outcomes]
        if {row.name for row in run} - {"full"}:
            full = next(row for row in rows if row.name == "full")
            yield group, [_line(row, full, outcomes) for row in run]


def _line(row: Row, full: Row, outcomes: Mapping[str, Outcome]) -> Line:
    outcome = outcomes[row.name]
    paper = row.miou - full.miou if row.miou is not None and full.miou is not None else None
    spread = 100 * statistics.stdev(outcome.mious) if len(outcome.mious) > 1 else math.nan
    miou = _mean(outcome)
    return Line(row, outcome, miou, spread, miou - _mean(outcomes["full"]), paper)


def _mean(outcome: Outcome) -> float:
    return 100 * statistics.fmean(outcome.mious) if outcome.mious else math.nan


def markdown(outcomes: Mapping[str, Outcome], caption: str) -> str:
    """Tables of all groups, and what failed."""
    parts = [f"# Ablation\n\n{caption}\n"]
    for group, found in lines(outcomes):
        parts.append(f"\n{HEAD.format(what=TITLES[group])}{RULE}" + "".join(map(_markdown_line, found)))
    failures = [f"- {name}: {outcome.failure}\n" for name, outcome in outcomes.items() if outcome.failure]
    if failures:
        parts.append("\nNot done:\n\n" + "".join(failures))
    return "".join(parts)


def _markdown_line(line: Line) -> str:
    outcome = line.outcome
    spread = "" if math.isnan(line.spread) else f" ± {line.spread:.2f}"
    paper = "" if line.row.miou is None else f"{line.row.miou:.1f} ({line.row.model})"
    done = bool(outcome.mious)
    cells: Sequence[str] = (
        f"{line.row.title} (`{line.row.name}`)",
        f"{line.miou:.2f}{spread}" if done else "failed",
        "" if line.row.name == "full" or math.isnan(line.gain) else f"{line.gain:+.2f}",
        paper,
        "" if line.row.name == "full" or line.paper_gain is None else f"{line.paper_gain:+.1f}",
        f"{outcome.parameters / 1e6:.2f}" if done else "",
        f"{outcome.operations / 1e9:.2f}" if done else "",
        f"{outcome.seconds_per_step:.2f}" if done else "",
        f"{outcome.iterations:,}",
    )
    return f"| {' | '.join(cells)} |\n"


def to_dict(outcomes: Mapping[str, Outcome], settings: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON; mIoU 0..1, None where there is none."""
    groups = {
        group: [
            {
                "row": line.row.name,
                "title": line.row.title,
                "miou": _number(line.miou / 100),
                "miou_of_seeds": [_number(miou) for miou in line.outcome.mious],
                "gain": _number(line.gain / 100),
                "paper_miou": None if line.row.miou is None else round(line.row.miou / 100, 4),
                "paper_model": line.row.model,
                "paper_gain": None if line.paper_gain is None else round(line.paper_gain / 100, 4),
                "parameters": line.outcome.parameters,
                "multiply_adds": line.outcome.operations,
                "seconds_per_step": _number(line.outcome.seconds_per_step),
                "iterations": line.outcome.iterations,
                "failure": line.outcome.failure or None,
            }
            for line in found
        ]
        for group, found in lines(outcomes)
    }
    return {**settings, "groups": groups}


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value
