"""Official checkpoint files to our weights file, and back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.checkpoint.encoder import EncoderWeights, read_published_encoder, save_encoder
from segnext.checkpoint.file import Weights, load_weights, metadata_of, read_safetensors, save_weights
from segnext.checkpoint.header import ENCODER_FORMAT, FORMAT, Header, parse_header, read_metadata
from segnext.checkpoint.names import layout_of, to_official
from segnext.checkpoint.official import from_official
from segnext.checkpoint.pickles import Checkpoint, read_checkpoint
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.model.config import ModelConfig, ablations
from segnext.model.network import build
from segnext.preprocess import Preprocess

# The sizes at which models of these label sets are tested on whole pictures, as in their recipes; others keep the size.
TEST_SHORT_SIDES = {"ade20k": 512, "coco_stuff": 512, "voc": 512}
SAME_NAMES = 0.8  # share of equal names from which on two class lists of one length are the same


def convert_from_official(
    source: Path,
    target: Path,
    labels_for: Callable[[int], Labels],
    *,
    rank: int | None = None,
    half: bool = False,
    described: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> Weights | EncoderWeights:
    """Write the official checkpoint `source`, whole or encoder only, as our file `target`.

    Args:
        source: .pth file, or a .safetensors file with the tensors of one.
        target: .safetensors file to write.
        labels_for: gives the meaning of the labels for a number of classes; asked for whole models only.
        rank: see `from_official`.
        half: see `save_weights`.
        described: whether what the file itself says of its classes and preprocessing goes before `labels_for`.
        provenance: what to say of the file's origin; its name when None.

    Returns:
        What was written.
    """
    plain = source.suffix == ".safetensors"
    state, meta = Checkpoint(read_safetensors(source)[1], {}) if plain else read_checkpoint(source)
    origin = {"converted_from": source.name} if provenance is None else dict(provenance)
    if layout_of(state).endswith("encoder only"):
        encoder = EncoderWeights(read_published_encoder(source).state, origin)
        save_encoder(encoder, target, half=half)
        return encoder
    ours = _our_header(meta, source) if described else None
    config, state = from_official(state, str(source), rank or (ours.config.rank if ours else None))
    if config.num_classes > 255:
        raise SegNextError(f"{source}: has {config.num_classes} classes; 8-bit masks tell at most 255 apart")
    if ours is not None and _fits(ours.config, state):  # some settings, such as drop_path, do not show in tensors
        weights = Weights(ours.config, ours.labels, ours.preprocess, state, {**ours.provenance, **origin})
    else:
        labels = labels_for(config.num_classes)
        if len(labels) != config.num_classes:
            raise SegNextError(
                f"{source}: has {config.num_classes} classes, but label set '{labels.name}' {len(labels)}; "
                "choose another"
            )
        labels = _classes(meta, labels, source) if described else labels
        preprocess = Preprocess(short_side=TEST_SHORT_SIDES.get(labels.name))
        weights = Weights(config, labels, preprocess, state, origin)
    save_weights(weights, target, half=half)
    return weights


def _our_header(meta: Mapping[str, Any], source: Path) -> Header | None:
    """What `convert_to_official` has put beside the tensors, so that the way back loses nothing."""
    text = meta.get("segnext")
    return parse_header({"format": FORMAT, "segnext": text}, source) if isinstance(text, str) else None


def _fits(config: ModelConfig, state: Mapping[str, Tensor]) -> bool:
    """Whether the tensors are those of a network of this configuration."""
    with torch.device("meta"):
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
    if read_metadata(source).get("format") == ENCODER_FORMAT:
        state = to_official(read_published_encoder(source).state)
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


def _require_published(config: ModelConfig, source: Path) -> None:
    changed = ablations(config)
    if changed:
        raise SegNextError(
            f"{source}: in its {', '.join(changed)} it is not the published network, the only one that the authors' "
            "layout can hold; keep it as a .safetensors file"
        )
