"""segnext pretrain: an encoder learns to classify pictures, in a new run or a resumed one."""

from pathlib import Path

from segnext.cli.outputs import show
from segnext.cli.runs import exit_code_of, parse_run
from segnext.pretraining.config import PretrainConfig
from segnext.words import quoted

DESCRIPTION = """Pre-train an encoder on pictures sorted into folders by class.
--resume RUN goes on as if nothing had happened.
Several devices: torchrun --nproc_per_node 8 -m segnext pretrain ..."""


def main(arguments: list[str]) -> int:
    """Parse, train, and say what lies where. The flags are the fields of PretrainConfig."""
    config, resume = parse(arguments)

    from segnext.pretraining.classification import pretrain  # only now: torch takes a second to import

    return exit_code_of("pretrain", lambda: pretrain(config, resume=resume), lambda out: _summarise(out, config.model))


def _summarise(out: Path, model: str) -> None:
    """What the run has reached, and what lies where."""
    from segnext.training.log import read_log

    _, measured = read_log(out / "log.jsonl")
    if measured:
        best = max(measured, key=lambda line: float(line["top1"]))
        top1, top5 = 100 * best["top1"], 100 * best["top5"]
        show(f"best on val: top-1 {top1:.2f} %, top-5 {top5:.2f} % at step {best['step']}")
    show(f"weights, log and curves: {out}")
    show(f"start a segmentation from them: segnext train --model {model} --encoder_weights {quoted(out)} ...")


def parse(arguments: list[str]) -> tuple[PretrainConfig, bool]:
    """The run that the command line describes, and whether it is to be resumed; see `parse_run`."""
    return parse_run(PretrainConfig, "pretrain", DESCRIPTION, arguments)
