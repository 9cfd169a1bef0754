"""Weights of an encoder alone: our file of them, and how they come into a network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.checkpoint.coverage import IMAGENET, Coverage, compare
from segnext.checkpoint.file import read_safetensors, save_safetensors
from segnext.checkpoint.header import ENCODER_FORMAT, FORMAT
from segnext.checkpoint.names import layout_of, to_ours
from segnext.checkpoint.official import encoder_shape, fill_counters, preset_like
from segnext.checkpoint.pickles import read_official
from segnext.errors import SegNextError
from segnext.model.mscan import MSCAN
from segnext.model.network import SegNeXt

STEM = "encoder.stages.0.embed.0.weight"


@dataclass(frozen=True)
class EncoderWeights:
    """The tensors of an encoder, `encoder.*` in our names, an ImageNet classifier `head.*` if there is one, and where
    they come from.
    """

    state: dict[str, Tensor]
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """What a network has taken from a file of weights.

    Attributes:
        coverage: which of its tensors.
        layout: of the file, in words.
        provenance: what the file says of its origin.
        bands: of the pictures that the weights are for.
        classes: of the weights, in order; None where the file does not name them.
    """

    coverage: Coverage
    layout: str
    provenance: dict[str, Any]
    bands: int
    classes: tuple[str, ...] | None = None


def save_encoder(weights: EncoderWeights, path: Path, *, half: bool = False) -> None:
    """Write a safetensors file that `--encoder_weights` takes; `half` as in `save_weights`."""
    metadata = {"format": ENCODER_FORMAT, "segnext": json.dumps({"provenance": weights.provenance})}
    save_safetensors(weights.state, metadata, path, half=half)


def read_encoder(path: Path) -> tuple[EncoderWeights, str]:
    """The encoder in any file that holds one, and the layout it was in.

    Args:
        path: our weights file or encoder file, or an official .pth, whole or encoder only, in any layout.

    Raises:
        SegNextError: when the file is missing or damaged, or holds no encoder.
    """
    provenance: dict[str, Any] = {"converted_from": path.name}
    if path.suffix == ".safetensors":
        metadata, found = read_safetensors(path)
        if metadata.get("format") in (FORMAT, ENCODER_FORMAT):
            provenance = json.loads(metadata["segnext"])["provenance"]
    else:
        found = read_official(path)
    layout = layout_of(found)
    state = {name: x for name, x in to_ours(found).items() if name.startswith(("encoder.", "head."))}
    try:
        encoder_shape(state)
    except (LookupError, TypeError, ValueError) as error:
        raise SegNextError(
            f"{path}: holds no encoder of a SegNeXt ({error} is missing among its {len(found)} tensors); give weights "
            "of an encoder or of a whole SegNeXt"
        ) from error
    return EncoderWeights(state, provenance), layout


def read_published_encoder(path: Path) -> EncoderWeights:
    """What `read_encoder` gives, which must be the whole encoder of the published network and no other.

    Raises:
        SegNextError: when it is not, or see `read_encoder`.
    """
    weights, _ = read_encoder(path)
    with torch.device("meta"):
        wanted = {f"encoder.{name}": x for name, x in MSCAN(**encoder_shape(weights.state)).state_dict().items()}
    fill_counters(weights.state, wanted)
    hint = "it is damaged, or of another network than the published one, the only one that these layouts can hold"
    compare(wanted, weights.state).require(str(path), unused=(IMAGENET,), hint=hint)
    return weights


def start_encoder(model: SegNeXt, path: Path) -> Start:
    """Load the encoder of `model` from `path`; its decoder is left as it is.

    The stem is inflated when the bands differ; see `inflate_stem`.

    Args:
        model: the network, changed in place.
        path: see `read_encoder`.

    Returns:
        What was loaded: every tensor of the encoder, and nothing of the decoder.

    Raises:
        SegNextError: when the file does not hold the whole encoder of `model`.
    """
    weights, layout = read_encoder(path)
    wanted = model.state_dict()
    state = dict(weights.state)
    fill_counters(state, [name for name in wanted if name.startswith("encoder.")])
    bands = state[STEM].shape[1]
    state[STEM] = inflate_stem(state[STEM], wanted[STEM].shape[1])
    coverage = compare(wanted, state)
    published = preset_like(encoder_shape(state))
    hint = f"this is the encoder of {published}, choose it as the model" if published else "choose a model that it fits"
    coverage.require(str(path), new=("decoder", "classifier"), unused=(IMAGENET,), hint=f"{hint}, or other weights")
    model.load_state_dict({name: state[name] for name in coverage.loaded}, strict=False)
    return Start(coverage, layout, weights.provenance, bands)


def load_state(model: SegNeXt, state: Mapping[str, Tensor], source: str, *, new: tuple[str, ...] = ()) -> Coverage:
    """Load `state`, in our names, into `model`, and refuse less than full coverage.

    Args:
        model: the network, changed in place.
        state: as `load_weights(path).state` or `read_official` with `to_ours` give it.
        source: names it in error messages.
        new: parts of the network that keep the weights they have where `state` lacks theirs or has them in
            another shape, such as ("classifier",) for other classes or ("decoder", "classifier").

    Raises:
        SegNextError: when other tensors are missing, of wrong shape or left over, or nothing fits.
    """
    coverage = compare(model.state_dict(), state)
    coverage.require(source, new=new, hint="name the parts that may start anew, or give weights of this model")
    model.load_state_dict({name: state[name] for name in coverage.loaded}, strict=False)
    return coverage


def inflate_stem(weight: Tensor, in_channels: int) -> Tensor:
    """First convolution's weights for another number of bands, with the same response on replicated bands.

    With more bands than before, band i takes the weights of band i modulo the old number, and the bands that share
    a source share its weight equally. With fewer, every band takes the same part of the sum of all. So a picture
    whose bands repeat the old ones, or are all alike, gives the response it gave before.

    Args:
        weight: (out, bands, height, width).
        in_channels: bands wanted, at least 1.

    Returns:
        (out, in_channels, height, width); `weight` itself when the bands agree.
    """
    bands = weight.shape[1]
    if in_channels == bands:
        return weight
    if in_channels < bands:
        return weight.sum(dim=1, keepdim=True).expand(-1, in_channels, -1, -1).clone() / in_channels
    source = torch.arange(in_channels) % bands
    shared = torch.bincount(source)[source].to(weight)
    return weight[:, source] / shared[:, None, None]
