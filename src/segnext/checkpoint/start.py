"""How the weights in a file come into a network that is to be trained: its encoder, or all of it."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from segnext.checkpoint.checkpoint import Checkpoint
from segnext.checkpoint.coverage import HEAD, IMAGENET, PER_CLASS, REFINEMENT, Coverage, compare
from segnext.checkpoint.names import BASES, to_ours
from segnext.checkpoint.official import encoder_config, encoder_shape, fill_counters, from_official, preset_like
from segnext.checkpoint.peers import encoder_tensors
from segnext.errors import SegNextError
from segnext.model.config import ModelConfig
from segnext.model.encoders import Staged
from segnext.model.families import family_of
from segnext.model.network import Network
from segnext.model.unfilled import unfilled

STEM = "encoder.stages.0.embed.0.weight"


def encoder_state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors of the encoder in any file that holds one, and of its ImageNet classifier, in our names.

    Raises:
        SegNextError: when the file holds no encoder.
    """
    found = checkpoint.state
    state = {name: x for name, x in to_ours(found).items() if name.startswith(("encoder.", "head."))}
    try:
        encoder_shape(state)
    except (LookupError, TypeError, ValueError) as error:
        raise SegNextError(
            f"{checkpoint.path}: holds no encoder of a SegNeXt ({error} is missing among its {len(found)} tensors); "
            "give weights of an encoder or of a whole SegNeXt"
        ) from error
    return state


def published_encoder_state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """What `encoder_state` gives, which must be the whole encoder of the published network and no other.

    Raises:
        SegNextError: when it is not.
    """
    state = encoder_state(checkpoint)
    config = encoder_config(state, str(checkpoint.path))
    with unfilled():
        wanted = {f"encoder.{name}": x for name, x in family_of(config).encoder(config).state_dict().items()}
    fill_counters(state, wanted)
    hint = "it is damaged, or of another network than the published one, the only one that these layouts can hold"
    compare(wanted, state).require(str(checkpoint.path), unused=(IMAGENET,), hint=hint)
    return state


def start_encoder(model: Network, checkpoint: Checkpoint) -> Coverage:
    """Load the encoder of `model`; its decoder is left as it is.

    The stem is inflated when the bands differ; see `inflate_stem`.

    Args:
        model: the network, changed in place.
        checkpoint: any file that holds an encoder.

    Returns:
        What was loaded: every tensor of the encoder, and nothing of the decoder.

    Raises:
        SegNextError: when the file does not hold the whole encoder of `model`.
    """
    wanted = model.state_dict()
    staged = isinstance(model.encoder, Staged)
    state = encoder_state(checkpoint) if staged else encoder_tensors(model, checkpoint)
    published = preset_like(state) if staged else None
    fill_counters(state, [name for name in wanted if name.startswith("encoder.")])
    _inflate(state, wanted)
    coverage = compare(wanted, state)
    hint = f"this is the encoder of {published}, choose it as the model" if published else "choose a model that it fits"
    coverage.require(str(checkpoint.path), new=HEAD, unused=(IMAGENET,), hint=f"{hint}, or other weights")
    model.load_state_dict({name: state[name] for name in coverage.loaded}, strict=False)
    return coverage


def start_network(model: Network, checkpoint: Checkpoint, classes: Sequence[str]) -> Coverage:
    """Load all of `model`; the classifier keeps the weights it has unless the classes are the same, and so does a
    refinement that the file lacks.

    The stem is inflated when the bands differ; see `inflate_stem`.

    Args:
        model: the network, changed in place.
        checkpoint: a weights file of ours, or an official one of a whole network, whose classes have no names.
        classes: names of the model's classes, in order.

    Returns:
        What was loaded.

    Raises:
        SegNextError: when the file is no whole network, or of another one than `model`.
    """
    path, state = checkpoint.path, dict(checkpoint.state)
    if checkpoint.classes is None:
        rank = model.config.rank if isinstance(model.config, ModelConfig) else None
        _, state = from_official(state, str(path), None if BASES in to_ours(state) else rank)
    _inflate(state, model.state_dict())
    new: tuple[str, ...] = () if any(name.startswith(REFINEMENT) for name in state) else ("refinement",)
    if checkpoint.classes != tuple(classes):
        state = {name: tensor for name, tensor in state.items() if not name.startswith(PER_CLASS)}
        new = ("refinement", "classifier")
    try:
        return load_state(model, state, str(path), new=new)
    except SegNextError as error:
        published = preset_like(state) if STEM in state else None
        if published is None or (STEM in model.state_dict() and published == preset_like(model.state_dict())):
            raise
        raise SegNextError(f"{path}: these are weights of {published}; choose it by --model {published}") from error


def bands_of(state: Mapping[str, Tensor]) -> int:
    """Bands of the pictures that a network or encoder with these tensors, in any layout, takes."""
    convolutions = {name: x for name, x in state.items() if x.ndim == 4}
    ours = to_ours(convolutions)
    return int(ours.get(STEM, next(iter(convolutions.values()))).shape[1])


def _inflate(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Make the first convolution fit the bands of `wanted`."""
    stem = next(name for name, x in wanted.items() if x.ndim == 4)
    if stem in state:
        state[stem] = inflate_stem(state[stem], wanted[stem].shape[1])


def load_state(model: Network, state: Mapping[str, Tensor], source: str, *, new: tuple[str, ...] = ()) -> Coverage:
    """Load `state`, in our names, into `model`, and refuse less than full coverage.

    Args:
        model: the network, changed in place.
        state: tensors in our names.
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
