"""segnext train: one training run, new or resumed."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.outputs import show
from segnext.cli.runs import exit_code_of, parse_run
from segnext.training.config import TrainConfig
from segnext.words import counted, percent, quoted, unpredicted

if TYPE_CHECKING:
    from segnext.training.cross_validation import CrossValidation

DESCRIPTION = """Train a model on a data set folder, or on what --format names.
Fine-tune with --from WEIGHTS: a name, file or run's folder. --resume RUN goes on as if nothing had happened.
Several devices: torchrun --nproc_per_node 4 -m segnext train ..."""


def main(arguments: list[str]) -> int:
    """Parse, train, and say what lies where. The flags are the fields of TrainConfig."""
    config, resume = parse(arguments)

    from segnext.training.cross_validation import cross_validate  # only now: torch takes a second to import
    from segnext.training.folds import folds_in_all
    from segnext.training.train import train

    if folds_in_all(config.fold) is not None:
        return exit_code_of("train", lambda: _all_folds(cross_validate(config, resume=resume)), lambda out: None)
    return exit_code_of("train", lambda: train(config, resume=resume).folder, _summarise)


def _all_folds(done: "CrossValidation") -> Path:
    """What the folds have reached, class by class and together."""
    for name, (mean, spread) in done.iou.items():
        show(f"  {name:24}{_percent(mean, spread)}")
    each = ", ".join(f"{number}: {100 * best['miou']:.2f}" for number, best in enumerate(done.best, 1))
    show(f"{counted(len(done.runs), 'fold')}: best mIoU {_percent(*done.miou)} ({each})")
    show(f"runs and folds.json: {done.folder}")
    return done.folder


def _percent(mean: float, spread: float) -> str:
    return percent(mean, 2) if math.isnan(spread) else f"{percent(mean, 2)} ± {100 * spread:.2f}"


def _summarise(out: Path) -> None:
    """What the run has reached, and what lies where."""
    from segnext.checkpoint.weights import load_weights
    from segnext.training.folds import summary

    best = out / "best.safetensors"
    if best.exists():
        provenance = load_weights(best).provenance
        if provenance.miou is not None:  # as it is when val holds no labelled pixel
            never = unpredicted((provenance.metrics or {}).get("never_predicted", ()))
            show(f"best mIoU on {provenance.split}: {100 * provenance.miou:.2f} % at step {provenance.step}{never}")
    else:
        show("nothing was measured, as there is no validation: the weights are those of the last step")
    if (folds := summary(out)) is not None:
        show(folds)
    show(f"weights, log and pictures: {out}")
    show(f"segment pictures with them: segnext predict PATH --weights {quoted(out)}")


def parse(arguments: list[str]) -> tuple[TrainConfig, bool]:
    """The run that the command line describes, and whether it is to be resumed; see `parse_run`."""
    return parse_run(TrainConfig, "train", DESCRIPTION, arguments)
