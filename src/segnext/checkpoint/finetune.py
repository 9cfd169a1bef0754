"""A whole network that starts from the weights of another, on the way to other classes or other bands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from segnext.checkpoint.coverage import CLASSIFIER
from segnext.checkpoint.encoder import STEM, Start, inflate_stem, load_state
from segnext.checkpoint.file import load_weights
from segnext.checkpoint.names import layout_of
from segnext.checkpoint.official import encoder_shape, from_official, preset_like
from segnext.checkpoint.pickles import read_official
from segnext.errors import SegNextError
from segnext.model.network import SegNeXt


def start_network(model: SegNeXt, path: Path, classes: Sequence[str]) -> Start:
    """Load `model` from `path`; the classifier keeps the weights it has unless the classes are the same.

    The stem is inflated when the bands differ; see `inflate_stem`.

    Args:
        model: the network, changed in place.
        path: a weights file of ours, or an official .pth of a whole network, whose classes have no names.
        classes: names of the model's classes, in order.

    Raises:
        SegNextError: when the file is no whole network, or of another one than `model`.
    """
    known, provenance, layout, state = _read(path)
    bands = state[STEM].shape[1]
    state[STEM] = inflate_stem(state[STEM], model.state_dict()[STEM].shape[1])
    new: tuple[str, ...] = ()
    if known != tuple(classes):
        state = {name: tensor for name, tensor in state.items() if not name.startswith(CLASSIFIER)}
        new = ("classifier",)
    try:
        coverage = load_state(model, state, str(path), new=new)
    except SegNextError as error:
        published = preset_like(encoder_shape(state))
        if published is None or published == preset_like(encoder_shape(model.state_dict())):
            raise
        raise SegNextError(f"{path}: these are weights of {published}; choose it by --model {published}") from error
    return Start(coverage, layout, provenance, bands, known)


def _read(path: Path) -> tuple[tuple[str, ...] | None, dict[str, Any], str, dict[str, Tensor]]:
    """Class names if there are any, provenance, layout, and tensors in our names."""
    if path.suffix == ".safetensors":
        weights = load_weights(path)
        return weights.labels.classes, weights.provenance, layout_of(weights.state), dict(weights.state)
    found = read_official(path)
    _, state = from_official(found, str(path))
    return None, {"converted_from": path.name}, layout_of(found), state
