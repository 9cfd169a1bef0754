"""segnext train: one training run, new or resumed."""

import re
from pathlib import Path

from segnext.cli.runs import exit_code_of, parse_run
from segnext.training.config import TrainConfig

DESCRIPTION = """Train a model on a data set folder.
New run: segnext train --data DIR --model segnext_t --out RUN, or --config RECIPE.yaml, whose fields flags override.
Fine-tune: add --from WEIGHTS, a name, file or run's folder.
Killed run: segnext train --resume RUN goes on as if nothing had happened.
Several devices: torchrun --nproc_per_node 4 -m segnext train ..."""
FROM = re.compile(r"--from(=|$)")  # a field of a dataclass cannot have this name, which is a word of Python


def main(arguments: list[str]) -> int:
    """Parse, train, and say what lies where. The flags are the fields of TrainConfig."""
    config, resume = parse(arguments)

    from segnext.training.segmentation import train  # only now: torch takes a second to import

    return exit_code_of("train", lambda: train(config, resume=resume), _summarise)


def _summarise(out: Path) -> None:
    """What the run has reached, and what lies where."""
    from segnext.checkpoint.weights import load_weights

    best = out / "best.safetensors"
    if best.exists():
        provenance = load_weights(best).provenance
        if provenance.miou is not None:  # as it is when val holds no labelled pixel
            print(f"best mIoU on {provenance.split}: {100 * provenance.miou:.2f} % at step {provenance.step}")
    print(f"weights, log and pictures: {out}")
    print(f"segment pictures with them: segnext predict PATH --weights {out}")


def parse(arguments: list[str]) -> tuple[TrainConfig, bool]:
    """The run that the command line describes, and whether it is to be resumed; see `parse_run`."""
    named = ["--from_weights" + part[6:] if FROM.match(part) else part for part in arguments]
    return parse_run(TrainConfig, "train", DESCRIPTION, named)
