"""The official checkpoints: their tensors' names, and what their shapes tell. A pure mapping, both ways.

Three published layouts differ in names alone: the authors', OpenMMLab's, which shortens
`mlp.dwconv.dwconv` to `mlp.dwconv`, and one that carries the bases as `hamburger.ham.bases`.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from segnext.errors import SegNextError
from segnext.model.hamburger import fixed_bases
from segnext.model.network import PRESETS, ModelConfig, build

BASES = "decoder.hamburger.ham.bases"

# What our names become, piece by piece; stages and strips, whose numbers start at 1 there, come apart below.
PIECES = {
    "attention.proj_in": "attn.proj_1",
    "attention.proj_out": "attn.proj_2",
    "attention.msca.local": "attn.spatial_gating_unit.conv0",
    "attention.msca.mix": "attn.spatial_gating_unit.conv3",
    "scale1.factor": "layer_scale_1",
    "scale2.factor": "layer_scale_2",
    "ffn.expand": "mlp.fc1",
    "ffn.depthwise": "mlp.dwconv.dwconv",
    "ffn.project": "mlp.fc2",
    "hamburger.upper": "hamburger.ham_in.conv",
    "hamburger.lower": "hamburger.ham_out",
    "classifier": "conv_seg",
}


def official_name(name: str) -> str:
    """The authors' name of our tensor `name`."""
    if name.startswith("decoder."):
        name = re.sub(r"\bnorm\b", "gn", name).replace("decoder.", "decode_head.")
    stage = re.match(r"encoder\.stages\.(\d)\.", name)
    if stage:
        number = int(stage[1]) + 1
        rest = name[stage.end() :]
        if number > 1:
            rest = rest.replace("embed.0.", "embed.proj.").replace("embed.1.", "embed.norm.")
        else:
            rest = rest.replace("embed.", "embed.proj.")
        rest = re.sub(r"^embed\b", f"patch_embed{number}", rest)
        rest = re.sub(r"^blocks\b", f"block{number}", rest)
        rest = re.sub(r"^norm\b", f"norm{number}", rest)
        name = f"backbone.{rest}"
    name = re.sub(
        r"attention\.msca\.strips\.(\d)\.(\d)",
        lambda found: f"attn.spatial_gating_unit.conv{found[1]}_{int(found[2]) + 1}",
        name,
    )
    for ours, theirs in PIECES.items():
        name = name.replace(ours, theirs)
    return name


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict in the authors' layout, which has no bases."""
    return {official_name(name): tensor for name, tensor in state.items() if name != BASES}


def from_official(
    state: Mapping[str, Tensor], source: str, rank: int | None = None
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """The network's configuration and our state dict, from an official full model in any of the layouts.

    Args:
        state: the official state dict.
        source: names it in error messages.
        rank: rank R of the matrix decomposition, which the authors' layout does not hold; None takes it
            from the bases if there are any, else from the published model with these stages.

    Raises:
        SegNextError: when tensors are missing, left over, or of another shape than the network's.
    """
    theirs = {re.sub(r"mlp\.dwconv\.(weight|bias)$", r"mlp.dwconv.dwconv.\1", k): v for k, v in state.items()}
    config = _config(theirs, source, rank)
    try:
        with torch.device("meta"):
            wanted = {name: tensor.shape for name, tensor in build(config).state_dict().items()}
    except (ValueError, RuntimeError) as error:
        raise SegNextError(f"{source}: its shapes are not those of a SegNeXt ({error})") from error
    ours: dict[str, Tensor] = {}
    missing = []
    for name, shape in wanted.items():
        tensor = theirs.pop(official_name(name), None)
        if tensor is None and name == BASES:
            tensor = fixed_bases(config.decoder_channels, config.rank)
        if tensor is None and name.endswith("num_batches_tracked"):  # some tools drop it; evaluation ignores it
            tensor = torch.zeros((), dtype=torch.int64)
        if tensor is None or tensor.shape != shape:
            missing.append(official_name(name))
        else:
            ours[name] = tensor.float() if tensor.is_floating_point() else tensor
    problems = []
    if missing:
        problems.append(f"{len(missing)} tensors missing or of another shape ('{missing[0]}' first)")
    if theirs:
        problems.append(f"{len(theirs)} unexpected tensors ('{min(theirs)}' first)")
    if problems:
        raise SegNextError(
            f"{source}: {len(ours)} of {len(wanted)} tensors fit, but there are {' and '.join(problems)}; "
            "give the checkpoint of a whole SegNeXt with the Hamburger head"
        )
    return config, ours


def _config(state: Mapping[str, Tensor], source: str, rank: int | None) -> ModelConfig:
    """The configuration that the shapes of an official state dict imply."""
    try:
        stages = range(1, 5)
        channels = tuple(len(state[f"backbone.norm{i}.weight"]) for i in stages)
        depths = tuple(len({k.split(".")[2] for k in state if k.startswith(f"backbone.block{i}.")}) for i in stages)
        hidden = [len(state[f"backbone.block{i}.0.mlp.fc1.bias"]) for i in stages]
        in_channels = state["backbone.patch_embed1.proj.0.weight"].shape[1]
        num_classes, decoder_channels = state["decode_head.conv_seg.weight"].shape[:2]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        encoder = any(name.startswith(("patch_embed1.", "backbone.patch_embed1.")) for name in state)
        what = "only the encoder of a SegNeXt" if encoder else "no SegNeXt"
        raise SegNextError(
            f"{source}: holds {what} ({error} is missing); give the checkpoint of a whole SegNeXt with the "
            "Hamburger head"
        ) from error
    published = [known for known in PRESETS.values() if (known.channels, known.depths) == (channels, depths)]
    bases = state.get(official_name(BASES))
    if rank is not None and rank < 1:
        raise SegNextError(f"rank is {rank}; it must be at least 1")
    if rank is None and bases is not None:
        rank = bases.shape[-1]
    if rank is None and published:
        rank = published[0].rank
    if rank is None:
        raise SegNextError(
            f"{source}: its stages are those of no published model, so the rank of its matrix decomposition is "
            "unknown; give it with --rank"
        )
    return ModelConfig(
        channels=channels,  # type: ignore[arg-type]
        depths=depths,  # type: ignore[arg-type]
        decoder_channels=decoder_channels,
        rank=rank,
        num_classes=num_classes,
        in_channels=in_channels,
        expansions=tuple(h // c for h, c in zip(hidden, channels, strict=True)),  # type: ignore[arg-type]
        drop_path=published[0].drop_path if published else 0.1,
    )
