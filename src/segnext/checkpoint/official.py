"""What the tensors of an official checkpoint tell about its network."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from segnext.checkpoint.coverage import compare
from segnext.checkpoint.names import BASES, is_openmmlab, official_name, to_ours
from segnext.errors import SegNextError
from segnext.model.config import ModelConfig, StagedConfig, staged_presets
from segnext.model.families import FAMILIES, Family, build
from segnext.model.hamburger import fixed_bases
from segnext.model.unfilled import unfilled

OPENMMLAB_RANK = 16  # of all sizes, as configurations inherit it from T's


def from_official(
    state: Mapping[str, Tensor], source: str, rank: int | None = None
) -> tuple[StagedConfig, dict[str, Tensor]]:
    """The network's configuration and our state dict, from an official full model in any of the layouts.

    Args:
        state: the official state dict.
        source: names it in error messages.
        rank: rank R of the matrix decomposition, which the authors' layout does not hold; None takes it
            from the bases if there are any, else from the authors' model with these stages.

    Raises:
        SegNextError: when tensors are missing, left over, or of another shape than the network's, or the rank may be
            one or another.
    """
    ours = to_ours(state)
    if rank is None and is_openmmlab(state) and BASES not in ours:
        _require_one_rank(ours, source)
    config = _config(ours, source, rank)
    try:
        with unfilled():
            wanted = build(config).state_dict()
    except (ValueError, RuntimeError) as error:
        raise SegNextError(f"{source}: its shapes are not those of a SegNeXt ({error})") from error
    if isinstance(config, ModelConfig):
        if official_name(BASES) in state:  # the Intel port
            config = replace(config, align_corners=True)
        ours.setdefault(BASES, fixed_bases(config.decoder_channels, config.rank))
    fill_counters(ours, wanted)
    hint = "give the checkpoint of a whole SegNeXt with the Hamburger head"
    compare(wanted, ours).require(source, hint=hint)
    return config, {name: ours[name] for name in wanted}


def _require_one_rank(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse to guess where OpenMMLab's and the authors' configurations of a size differ."""
    try:
        like = staged_presets().get(preset_like(state) or "")
    except (LookupError, TypeError, ValueError):
        return  # refused for more than that
    if isinstance(like, ModelConfig) and like.rank > OPENMMLAB_RANK:  # of T and S both say 16
        raise SegNextError(
            f"{source}: the rank of its matrix decomposition is {OPENMMLAB_RANK} in mmsegmentation's configurations, "
            f"{like.rank} in the authors', and nothing in the file says which; convert it with 'segnext convert --rank "
            f"{OPENMMLAB_RANK}' or '--rank {like.rank}', whichever it was trained with"
        )


def fill_counters(state: dict[str, Tensor], wanted: Iterable[str]) -> None:
    """Add the BatchNorm step counters that some tools drop; nothing but a momentum of None reads them."""
    for name in wanted:
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros((), dtype=torch.int64))


def family_in(state: Mapping[str, Tensor]) -> Family:
    """The family of the network whose tensors, in our names, these are."""
    return FAMILIES["segformer" if any(".attention.query." in name for name in state) else "segnext"]


def encoder_shape(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What of a configuration the encoder's tensors, in our names, tell.

    Raises:
        LookupError, ValueError: when tensors that tell are missing.
    """
    stages = [f"encoder.stages.{index}" for index in range(4)]
    channels = tuple(len(state[f"{stage}.norm.weight"]) for stage in stages)
    hidden = [len(state[f"{stage}.blocks.0.ffn.expand.bias"]) for stage in stages]
    shape = {
        "channels": channels,
        "depths": tuple(len({k.split(".")[4] for k in state if k.startswith(f"{stage}.blocks.")}) for stage in stages),
        "expansions": tuple(wide // narrow for wide, narrow in zip(hidden, channels, strict=True)),
        "in_channels": state["encoder.stages.0.embed.0.weight"].shape[1],
    }
    if family_in(state) is FAMILIES["segformer"]:
        reduce = [state.get(f"{stage}.blocks.0.attention.reduce.weight") for stage in stages]
        shape["reductions"] = tuple(1 if weight is None else weight.shape[2] for weight in reduce)
    return shape


def preset_like(state: Mapping[str, Tensor]) -> str | None:
    """The name of the published model that has an encoder of these tensors' shapes.

    Raises:
        LookupError, ValueError: when tensors that tell are missing.
    """
    shape, family = encoder_shape(state), family_in(state)
    for name, known in staged_presets().items():
        if isinstance(known, family.config) and (known.channels, known.depths) == (shape["channels"], shape["depths"]):
            return name
    return None


def encoder_config(state: Mapping[str, Tensor], source: str) -> StagedConfig:
    """A configuration with the encoder of these tensors, in our names; its decoder is of no matter.

    Raises:
        SegNextError: when the tensors do not tell.
    """
    shape, like = encoder_shape(state), preset_like(state)
    if like is not None:
        return replace(staged_presets()[like], **shape)
    if family_in(state) is FAMILIES["segnext"]:
        return ModelConfig(**shape, decoder_channels=32, rank=1)
    raise SegNextError(
        f"{source}: its stages are those of no published SegFormer, so the heads of its attention are unknown; give "
        "weights of a published size"
    )


def _config(state: Mapping[str, Tensor], source: str, rank: int | None) -> StagedConfig:
    """The configuration that the shapes of a full model's tensors, in our names, imply."""
    family = family_in(state)
    try:
        shape, like = encoder_shape(state), preset_like(state)
        num_classes, decoder_channels = state["decoder.classifier.weight"].shape[:2]
    except (LookupError, TypeError, ValueError) as error:
        encoder = any(name.startswith("encoder.stages.0.embed.") for name in state)
        what = f"only the encoder of a {family.title}" if encoder else "no SegNeXt"
        start = ", or start a training from it by --encoder_weights" if encoder else ""
        raise SegNextError(
            f"{source}: holds {what} ({error} is missing); "
            f"give the checkpoint of a whole SegNeXt with the Hamburger head{start}"
        ) from error
    if family is FAMILIES["segformer"]:
        known = encoder_config(state, source)
        return replace(known, num_classes=num_classes, decoder_channels=decoder_channels)
    published = staged_presets().get(like or "")
    return ModelConfig(
        **shape,
        decoder_channels=decoder_channels,
        rank=_rank(state, source, rank, published),
        num_classes=num_classes,
        drop_path=published.drop_path if published else 0.1,
    )


def _rank(state: Mapping[str, Tensor], source: str, rank: int | None, published: StagedConfig | None) -> int:
    """The rank given, or that of the bases, or of the published model."""
    if rank is not None and rank < 1:
        raise SegNextError(f"rank is {rank}; it must be at least 1")
    if rank is None and BASES in state:
        rank = state[BASES].shape[-1]
    if rank is None and isinstance(published, ModelConfig):
        rank = published.rank
    if rank is None:
        raise SegNextError(
            f"{source}: its stages are those of no published model, so the rank of its matrix decomposition is "
            "unknown; give it with --rank of 'segnext convert', and use what that writes"
        )
    return rank
