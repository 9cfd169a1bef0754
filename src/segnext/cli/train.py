"""segnext train: one training run, new or resumed."""

from segnext.cli.runs import parse_run
from segnext.training.config import TrainConfig

DESCRIPTION = """Train a model on a data set folder.
New run: segnext train --data DIR --model segnext_t --out RUN, or --config RECIPE.yaml, whose fields flags override.
Killed run: segnext train --resume RUN goes on as if nothing had happened."""


def main(arguments: list[str]) -> int:
    """Parse, train, and say what lies where. The flags are the fields of TrainConfig."""
    config, resume = parse(arguments)

    from segnext.checkpoint.file import load_weights  # only now: torch takes a second to import
    from segnext.training.loop import train

    out = train(config, resume=resume)
    best = out / "best.safetensors"
    if best.exists():
        provenance = load_weights(best).provenance
        metrics = provenance["metrics"]
        if metrics["miou"] is not None:  # as it is when val holds no labelled pixel
            print(f"best mIoU on {metrics['split']}: {metrics['miou']:.4f} at step {provenance['step']}")
    print(f"weights, log and pictures: {out}")
    print(f"segment pictures with them: segnext predict PATH --weights {out}")
    return 0


def parse(arguments: list[str]) -> tuple[TrainConfig, bool]:
    """The run that the command line describes, and whether it is to be resumed; see `parse_run`."""
    return parse_run(TrainConfig, "train", DESCRIPTION, arguments)
