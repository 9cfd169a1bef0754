"""Official checkpoint files to our weights file, and back."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.checkpoint.checkpoint import Checkpoint, read_checkpoint
from segnext.checkpoint.config_text import said_by
from segnext.checkpoint.names import BASES, official_name, to_official
from segnext.checkpoint.official import from_official
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.start import published_encoder_state
from segnext.checkpoint.tensors import Header, read_header
from segnext.checkpoint.weights import (
    ENCODER_FORMAT,
    FORMAT,
    Weights,
    kind_of,
    load_weights,
    metadata_of,
    parse_header,
    save_encoder,
    save_weights,
)
from segnext.data.known import known_labels, labels_for_count
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.model.config import ModelConfig, NetworkConfig, ablations
from segnext.model.families import build
from segnext.model.unfilled import unfilled
from segnext.preprocess import Preprocess

# The sizes at which models of these label sets are tested on whole pictures, as in their recipes; others keep the size.
TEST_SHORT_SIDES = {"ade20k": 512, "coco_stuff": 512, "voc": 512}
TEST_LONG_SIDES = {"pascal_context": 520, "isaid": 896}
SAME_NAMES = 0.8  # share of equal names from which on two class lists of one length are the same


def convert_from_official(
    source: Path | Checkpoint,
    target: Path,
    *,
    like: str | None = None,
    rank: int | None = None,
    usual_rank: int | None = None,
    half: bool = False,
    provenance: Provenance | None = None,
) -> Weights | Checkpoint:
    """Write the official checkpoint `source`, whole or encoder only, as our file `target`.

    Args:
        source: .pth file, or a .safetensors file with the tensors of one, or what `read_checkpoint` gave of it.
        target: .safetensors file to write.
        like: name of the label set of a whole model's classes; None for what the file itself says of its classes and
            preprocessing, and where it says nothing for what is usual for their number.
        rank: see `from_official`; None takes what the file says of its configuration.
        usual_rank: where the file says nothing.
        half: see `save_weights`.
        provenance: what to say of the file's origin; its name when None.

    Returns:
        What was written; a `Checkpoint` in our names of an encoder alone.
    """
    checkpoint = source if isinstance(source, Checkpoint) else read_checkpoint(source)
    origin = provenance or checkpoint.provenance
    if checkpoint.layout.endswith("encoder only"):
        encoder = published_encoder_state(checkpoint)
        save_encoder(encoder, origin, target, half=half)
        return Checkpoint(target, encoder, origin)
    weights = _whole(checkpoint, like, rank, usual_rank, origin)
    save_weights(weights, target, half=half)
    return weights


def _whole(
    checkpoint: Checkpoint, like: str | None, rank: int | None, usual_rank: int | None, origin: Provenance
) -> Weights:
    source = checkpoint.path
    ours = _our_header(checkpoint) if like is None else None
    said = said_by(checkpoint.meta)
    if rank is None and official_name(BASES) not in checkpoint.state:
        rank = getattr(ours and ours.config, "rank", None) or said.rank or usual_rank
    config, state = from_official(checkpoint.state, str(source), rank)
    if said.align_corners is not None and isinstance(config, ModelConfig):
        config = replace(config, align_corners=said.align_corners)
    if config.num_classes > 255:
        raise SegNextError(f"{source}: has {config.num_classes} classes; 8-bit masks tell at most 255 apart")
    if ours is not None and _fits(ours.config, state):  # some settings, such as drop_path, do not show in tensors
        return Weights(ours.config, ours.labels, ours.preprocess, state, ours.provenance.updated(origin))
    labels = labels_for_count(config.num_classes) if like is None else known_labels(like)
    if len(labels) != config.num_classes:
        raise SegNextError(
            f"{source}: has {config.num_classes} classes, but label set '{labels.name}' {len(labels)}; choose another"
        )
    if like is None:
        labels = _classes(checkpoint.meta, labels, source)
    preprocess = Preprocess(short_side=TEST_SHORT_SIDES.get(labels.name), long_side=TEST_LONG_SIDES.get(labels.name))
    if said.mean and said.std and len(said.mean) == len(said.std) == config.in_channels:
        preprocess = replace(preprocess, mean=said.mean, std=said.std)
    return Weights(config, labels, preprocess, state, origin)


def _our_header(checkpoint: Checkpoint) -> Weights | None:
    """What `convert_to_official` has put beside the tensors, so that the way back loses nothing."""
    text = checkpoint.meta.get("segnext")
    if not isinstance(text, str):
        return None
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.state.items()}
    return parse_header(Header({"format": FORMAT, "segnext": text}, shapes), checkpoint.path)


def _fits(config: NetworkConfig, state: Mapping[str, Tensor]) -> bool:
    """Whether the tensors are those of a network of this configuration."""
    with unfilled():
        wanted = build(config).state_dict()
    return wanted.keys() == state.keys() and all(wanted[name].shape == state[name].shape for name in wanted)


def _classes(meta: Mapping[str, Any], usual: Labels, source: Path) -> Labels:
    """The class names that OpenMMLab's tools put beside the tensors; `usual` where there are none, or those.

    Published files spell some names of a public data set otherwise than we do, so that a few may differ.
    """
    said = meta.get("dataset_meta") or {"classes": meta.get("CLASSES"), "palette": meta.get("PALETTE")}
    names = said.get("classes") if isinstance(said, dict) else None
    if not isinstance(names, list | tuple) or len(names) != len(usual) or len(set(names)) != len(names):
        return usual
    alike = sum(str(name).lower() == ours.lower() for name, ours in zip(names, usual.classes, strict=True))
    if alike >= SAME_NAMES * len(names):
        return usual
    palette = said.get("palette")
    colors = palette if isinstance(palette, list | tuple) and len(palette) == len(names) else usual.colors
    classes = [{"name": name, "color": color} for name, color in zip(names, colors, strict=True)]
    return Labels.from_dict({"name": source.stem, "classes": classes}, str(source))


def convert_to_official(source: Path, target: Path) -> int:
    """Write our file `source` in the authors' layout to `target`.

    A whole model becomes {"state_dict": ..., "meta": ...}, an encoder alone {"state_dict": ...} without prefix.

    Returns:
        The number of tensors written.

    Raises:
        SegNextError: when the network has another decoder or ablations.
    """
    content: dict[str, Any]
    if kind_of(read_header(source).metadata) == ENCODER_FORMAT:
        state = to_official(published_encoder_state(read_checkpoint(source)))
        content = {"state_dict": {name.removeprefix("backbone."): tensor for name, tensor in state.items()}}
    else:
        weights = load_weights(source)
        _require_published(weights.config, source)
        meta = {
            "CLASSES": weights.labels.classes,
            "PALETTE": [list(color) for color in weights.labels.colors],
            "segnext": metadata_of(weights)["segnext"],  # all that the authors' layout has no place for
        }
        content = {"state_dict": to_official(weights.state), "meta": meta}
    with replacing(target) as temporary:
        torch.save(content, temporary)
    tensors: dict[str, Tensor] = content["state_dict"]
    return len(tensors)


def _require_published(config: NetworkConfig, source: Path) -> None:
    if not isinstance(config, ModelConfig):
        raise SegNextError(f"{source}: the authors' layout holds a SegNeXt alone; keep it as a .safetensors file")
    changed = ablations(config)
    if changed:
        raise SegNextError(
            f"{source}: in its {', '.join(changed)} it is not the published network, the only one that the authors' "
            "layout can hold; keep it as a .safetensors file"
        )
