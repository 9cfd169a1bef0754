"""segnext train: one training run, new or resumed."""

from pathlib import Path

from segnext.cli.outputs import show
from segnext.cli.runs import exit_code_of, parse_run
from segnext.training.config import TrainConfig

DESCRIPTION = """Train a model on a data set folder, or on what --format names.
Fine-tune with --from WEIGHTS: a name, file or run's folder. --resume RUN goes on as if nothing had happened.
Several devices: torchrun --nproc_per_node 4 -m segnext train ..."""


def main(arguments: list[str]) -> int:
    """Parse, train, and say what lies where. The flags are the fields of TrainConfig."""
    config, resume = parse(arguments)

    from segnext.training.train import train  # only now: torch takes a second to import

    return exit_code_of("train", lambda: train(config, resume=resume).folder, _summarise)


def _summarise(out: Path) -> None:
    """What the run has reached, and what lies where."""
    from segnext.checkpoint.weights import load_weights
    from segnext.training.folds import summary

    best = out / "best.safetensors"
    if best.exists():
        provenance = load_weights(best).provenance
        if provenance.miou is not None:  # as it is when val holds no labelled pixel
            show(f"best mIoU on {provenance.split}: {100 * provenance.miou:.2f} % at step {provenance.step}")
    if (folds := summary(out)) is not None:
        show(folds)
    show(f"weights, log and pictures: {out}")
    show(f"segment pictures with them: segnext predict PATH --weights {out}")


def parse(arguments: list[str]) -> tuple[TrainConfig, bool]:
    """The run that the command line describes, and whether it is to be resumed; see `parse_run`."""
    return parse_run(TrainConfig, "train", DESCRIPTION, arguments)
