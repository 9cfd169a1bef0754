"""Encoders alone, as torch modules: feature maps for other decoders, other tasks, other libraries."""

from dataclasses import replace
from typing import Any

from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.find import weights_path
from segnext.checkpoint.module import create_model
from segnext.checkpoint.official import encoder_config
from segnext.checkpoint.start import encoder_state, start_encoder
from segnext.errors import SegNextError
from segnext.model.composed import ENCODERS
from segnext.model.config import PRESETS, preset
from segnext.model.encoders import Encoder
from segnext.model.families import build, family_of


def create_encoder(name: str, in_channels: int | None = None) -> Encoder:
    """An encoder with random weights, or with those that a name stands for.

    Args:
        name: an encoder, such as mscan_t, mit_b0 or resnet50; that of a model, such as segnext_t; of weights as
            `segnext.load` takes them, such as segnext_t.camvid or a run's folder; or weights of an encoder alone, such
            as mscan_t.imagenet_small, an official file, or what `segnext pretrain` wrote.
        in_channels: bands of the image; None for 3, or the weights' own. The stem of weights for others is spread.

    Returns:
        A module: image (B, bands, H, W) -> a list of maps, (B, channels[i], H / strides[i], W / strides[i]), sizes
        rounded up; `.channels` and `.strides` are its attributes. With weights it is in evaluation mode.

    Raises:
        SegNextError: when there is nothing of this name, or the file holds no encoder.
    """
    changes: dict[str, Any] = {} if in_channels is None else {"in_channels": in_channels}
    if name in ENCODERS or name in PRESETS:
        config = preset(f"{name}+mlp" if name in ENCODERS else name, **changes)
        return family_of(config).encoder(config)
    try:
        path = weights_path(name)
    except SegNextError as error:
        raise SegNextError(f"{error}; encoders are {', '.join(ENCODERS)}") from error
    checkpoint = read_checkpoint(path)
    if checkpoint.classes is not None:  # a whole network, of any family
        return create_model(name, in_channels=in_channels).encoder
    model = build(replace(encoder_config(encoder_state(checkpoint), str(path)), **changes))
    start_encoder(model, checkpoint)
    return model.encoder.eval()
