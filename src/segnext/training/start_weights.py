"""What a segmentation network starts from: published weights, an encoder's, or another run's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from segnext.checkpoint.checkpoint import Checkpoint, read_checkpoint
from segnext.checkpoint.describe import licence_in_card
from segnext.checkpoint.find import weights_path
from segnext.checkpoint.start import bands_of, start_encoder, start_network
from segnext.labels import Labels
from segnext.model.network import Network
from segnext.training.config import TrainConfig


def start_weights(model: Network, config: TrainConfig, labels: Labels, *, loud: bool) -> dict[str, Any]:
    """Load what the recipe says that the network starts from, and print what of it the weights cover.

    Args:
        model: changed in place.
        config: the run.
        labels: of the data.
        loud: whether to print.

    Returns:
        Provenance for the weights of the run: what it started from, and the licence of that; empty for random weights.

    Raises:
        SegNextError: when there are no such weights, or they are not for this network.
    """
    name = config.from_weights or config.encoder_weights
    if name is None:
        return {}
    path = weights_path(name)
    checkpoint = read_checkpoint(path)
    if config.from_weights is None:
        coverage, part, new = start_encoder(model, checkpoint), "encoder", "the decoder and its classifier start"
    else:
        coverage, part, new = start_network(model, checkpoint, labels.classes), "network", ""
        if checkpoint.classes != labels.classes:
            new = f"{_other_classes(checkpoint, labels)}, so the classifier starts"
    if loud:
        said = f"{new} from random weights" if new else "all of it is taken"
        print(f"{part} from {name} ({checkpoint.layout}); {said}")
        before, now = bands_of(checkpoint.state), bands_of(model.state_dict())
        if before != now:
            print(f"its stem for {before} bands is spread over {now}")
        print(coverage, flush=True)
        if checkpoint.remark:
            print(checkpoint.remark, flush=True)
    origin = checkpoint.provenance.succession(Path(name).name, part)
    if not (origin.licence or origin.licence_note):
        origin = replace(origin, licence_note=licence_in_card(path))
    return origin.to_dict()


def _other_classes(checkpoint: Checkpoint, labels: Labels) -> str:
    if checkpoint.classes is None:
        return "its classes have no names"
    return f"it knows other classes ({len(checkpoint.classes)}, the data has {len(labels)})"
