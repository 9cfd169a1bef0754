"""segnext ablate: the paper's ablation table on a data set of yours, with a budget."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.outputs import complain, show
from segnext.cli.parser import Parser
from segnext.cli.train import parse
from segnext.errors import SegNextError
from segnext.model.ablations import GROUPS, Row, chosen

if TYPE_CHECKING:
    from segnext.compare.ablation import Outcome
    from segnext.compare.contest import Budget
    from segnext.training.config import TrainConfig

DESCRIPTION = """Train the networks of the paper's ablations with one budget, and tabulate them beside the paper.
All settings of 'segnext train' are taken too, and hold for every network: --data DIR --out DIR --iterations N, ...
Run again after an interruption: networks that are done are kept, the broken one goes on."""


def main(arguments: list[str]) -> int:
    """Parse, train, and write OUT/ablation.md, ablation.json and ablation.png. Returns 1 when a network failed."""
    known, others = _parser().parse_known_args(arguments)
    rows = chosen(known.rows)
    base, resume = parse(others)
    if resume:
        raise SegNextError("an ablation is gone on with by giving the same --out; leave out --resume")

    from segnext.compare.ablation import ablate  # only now: torch takes a second to import
    from segnext.compare.contest import Budget
    from segnext.training.stop import Stopped

    budget = Budget(known.seconds, known.seeds)
    outcomes: dict[str, Outcome] = {}

    def tell(row: Row, outcome: "Outcome") -> None:
        outcomes[row.name] = outcome
        mious = ", ".join(f"{100 * miou:.2f}" for miou in outcome.mious)
        show(f"{row.name}: {f'mIoU {mious} %' if mious else ''}{outcome.failure}")
        _write(outcomes, base, budget)

    try:
        ablate(base, rows, budget, tell)
    except Stopped as stop:
        complain("ablate", str(stop))
        return 128 + stop.signal
    out = Path(base.out)
    for line in (out / "ablation.md").read_text(encoding="utf-8").splitlines():
        show(line)
    show(f"table, numbers and plot: {out / 'ablation.md'}, ablation.json, ablation.png")
    return 1 if any(outcome.failure for outcome in outcomes.values()) else 0


def _parser() -> argparse.ArgumentParser:
    listed = "; ".join(f"{group}: {', '.join(row.name for row in rows)}" for group, rows in GROUPS.items())
    parser = Parser(
        prog="segnext ablate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--rows", metavar="R,...", help=f"rows and groups to run, beside full (default: all). {listed}")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="training time for each network, in place of --iterations"
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each network (default: 1)")
    return parser


def _write(outcomes: "Mapping[str, Outcome]", base: "TrainConfig", budget: "Budget") -> None:
    from segnext.compare.ablation_plot import draw
    from segnext.compare.ablation_table import markdown, to_dict
    from segnext.files import replacing
    from segnext.plain import write_json

    out = Path(base.out)
    steps = f"{base.iterations:,} steps" if budget.seconds is None else f"{budget.seconds:g} s of training"
    caption = f"{base.model} on {Path(base.data).name}, {steps}, {budget.seeds} seed{'s' if budget.seeds > 1 else ''}"
    with replacing(out / "ablation.md") as temporary:
        temporary.write_text(markdown(outcomes, caption), encoding="utf-8")
    settings = json.loads((out / "ablation.settings.json").read_text(encoding="utf-8"))
    write_json(to_dict(outcomes, {"settings": settings, "seeds": budget.seeds}), out / "ablation.json")
    draw(outcomes, caption, out / "ablation.png")
