"""SegFormer's tensors in the layouts of the transformers library: of its published files, and of its version 5."""

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

# What their names become, piece by piece, once prefix, stage and block are told apart.
PIECES = {
    "proj": "embed.0",
    "layer_norm": "embed.1",
    "layer_norm_1": "norm1",
    "layernorm_before": "norm1",
    "layer_norm_2": "norm2",
    "layernorm_after": "norm2",
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.self.sr": "attention.reduce",
    "attention.self.layer_norm": "attention.norm",
    "attention.output.dense": "attention.project",
    "attention.q_proj": "attention.query",
    "attention.k_proj": "attention.key",
    "attention.v_proj": "attention.value",
    "attention.o_proj": "attention.project",
    "attention.sequence_reduction.sequence_reduction": "attention.reduce",
    "attention.sequence_reduction.layer_norm": "attention.norm",
    "mlp.dense1": "ffn.expand",
    "mlp.fc1": "ffn.expand",
    "mlp.dwconv.dwconv": "ffn.depthwise",
    "mlp.dense2": "ffn.project",
    "mlp.fc2": "ffn.project",
}
HEAD = {"linear_fuse": "fuse.0", "batch_norm": "fuse.1", "classifier": "classifier"}
STAGE = re.compile(
    r"segformer\.(?:encoder\.(?:patch_embeddings\.(?P<embed>\d)|block\.(?P<block>\d\.\d+)|layer_norm\.(?P<norm>\d))"
    r"|stages\.(?:(?P<embed5>\d)\.patch_embeddings|(?P<block5>\d\.blocks\.\d+)|(?P<norm5>\d)\.layer_norm))"
    r"(?P<rest>.*)\.(?P<kind>\w+)"
)
FUSE = "decoder.fuse.0.weight"


def our_segformer_name(name: str) -> str | None:
    """Our name of a tensor of theirs; None for any other."""
    if found := STAGE.fullmatch(name):
        parts = found.groupdict()
        rest, kind = str(parts["rest"]).lstrip("."), parts["kind"]
        if stage := parts["norm"] or parts["norm5"]:
            return None if rest else f"encoder.stages.{stage}.norm.{kind}"
        if rest not in PIECES:
            return None
        if stage := parts["embed"] or parts["embed5"]:
            return f"encoder.stages.{stage}.{PIECES[rest]}.{kind}"
        stage, _, block = str(parts["block"] or parts["block5"]).replace("blocks.", "").partition(".")
        return f"encoder.stages.{stage}.blocks.{block}.{PIECES[rest]}.{kind}"
    if found := re.fullmatch(r"decode_head\.linear_(?:c|projections)\.(\d)\.proj\.(\w+)", name):
        return f"decoder.unify.{found[1]}.{found[2]}"
    if (found := re.fullmatch(r"decode_head\.(\w+)\.(\w+)", name)) and found[1] in HEAD:
        return f"decoder.{HEAD[found[1]]}.{found[2]}"
    if found := re.fullmatch(r"classifier\.(weight|bias)", name):
        return f"head.{found[1]}"
    return None


def is_transformers(names: Collection[str]) -> bool:
    """Whether these are names of the transformers library."""
    return any(name.startswith("segformer.") for name in names)


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their state dict in our names and order; tensors of no place keep their names.

    Their linear layers of the head are our 1x1 convolutions, and their head lays the maps on each other from the last
    stage to the first.
    """
    ours = {}
    for name, tensor in state.items():
        known = our_segformer_name(name)
        if known is not None and known.startswith("decoder.unify.") and tensor.ndim == 2:
            tensor = tensor[..., None, None]
        if known == FUSE and tensor.ndim == 4 and tensor.shape[1] % 4 == 0:
            tensor = torch.cat(tensor.chunk(4, dim=1)[::-1], dim=1)
        ours[known or name] = tensor
    return ours
