"""The entrance: train a segmentation network."""

from pathlib import Path

from segnext.training.config import TrainConfig
from segnext.training.run import carry_out
from segnext.training.segmentation import Segmentation
from segnext.training.several import SeveralData


def train(config: TrainConfig, *, resume: bool = False) -> Path:
    """Train `config`, or go on with the run in its folder `out`, as if it had never stopped; see `carry_out`.

    Returns:
        The run's folder: config.yaml, best.safetensors and last.safetensors (averaged weights), state.pt
        (what resuming needs), log.jsonl, tensorboard/, and at the end curves.png, examples.png and report.html.
    """
    return carry_out(config, SeveralData if config.more_data else Segmentation, resume=resume)
