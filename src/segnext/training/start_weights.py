"""What a segmentation network starts from: published weights, an encoder's, or another run's."""

from pathlib import Path
from typing import Any

from segnext.checkpoint.encoder import STEM, Start, start_encoder
from segnext.checkpoint.finetune import start_network
from segnext.inference.load import weights_path
from segnext.labels import Labels
from segnext.model.network import SegNeXt
from segnext.training.config import TrainConfig


def start_weights(model: SegNeXt, config: TrainConfig, labels: Labels, *, loud: bool) -> dict[str, Any]:
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
    if config.from_weights is None:
        start, part, new = start_encoder(model, path), "encoder", "the decoder and its classifier start"
    else:
        start, part = start_network(model, path, labels.classes), "network"
        new = "" if start.classes == labels.classes else f"{_other_classes(start, labels)}, so the classifier starts"
    if loud:
        said = f"{new} from random weights" if new else "all of it is taken"
        print(f"{part} from {name} ({start.layout}); {said}")
        if start.bands != _bands(model):
            print(f"its stem for {start.bands} bands is spread over {_bands(model)}")
        print(start.coverage, flush=True)
    kept = {key: value for key, value in start.provenance.items() if key in ("licence", "licence_note")}
    source = {key: value for key, value in start.provenance.items() if key in ("converted_from", "url", "sha256")}
    return {"started_from": {"weights": Path(name).name, "part": part, **source}, **kept}


def _other_classes(start: Start, labels: Labels) -> str:
    if start.classes is None:
        return "its classes have no names"
    return f"it knows other classes ({len(start.classes)}, the data has {len(labels)})"


def _bands(model: SegNeXt) -> int:
    return int(model.state_dict()[STEM].shape[1])
