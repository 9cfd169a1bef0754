"""The names of tensors: ours, and the official layouts'. A pure mapping, both ways.

The published layouts differ in names alone: the authors'; OpenMMLab's, which shortens `mlp.dwconv.dwconv` to
`mlp.dwconv`; the Intel port's, which carries the bases as `hamburger.ham.bases`; and each of an encoder alone, without
the prefix `backbone.` and with an ImageNet classifier `head`.
"""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from segnext.checkpoint.segformer_names import from_transformers, is_transformers

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


def our_name(name: str) -> str:
    """Our name of the tensor `name` of any official layout; a name of none of them stays as it is."""
    stage = re.match(r"(?:backbone\.)?(patch_embed|block|norm)([1-4])\.", name)
    if not stage and not name.startswith("decode_head."):
        return name
    name = re.sub(r"\bmlp\.dwconv\.(weight|bias)$", r"mlp.dwconv.dwconv.\1", name)
    name = re.sub(
        r"attn\.spatial_gating_unit\.conv(\d)_(\d)",
        lambda found: f"attention.msca.strips.{found[1]}.{int(found[2]) - 1}",
        name,
    )
    for ours, theirs in PIECES.items():
        name = name.replace(theirs, ours)
    if not stage:
        return re.sub(r"\bgn\b", "norm", name).replace("decode_head.", "decoder.")
    kind, number, rest = stage[1], int(stage[2]), name[stage.end() :]  # no piece lies in the part that was matched
    if kind == "patch_embed":
        rest = re.sub(r"^proj\.", "" if number == 1 else "0.", rest)
        rest = re.sub(r"^norm\.", "1.", rest)
    ours = {"patch_embed": "embed", "block": "blocks", "norm": "norm"}[kind]
    return f"encoder.stages.{number - 1}.{ours}.{rest}"


def to_ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of any layout in our names, floating point as float32; tensors of no layout keep their names."""
    if is_transformers(state):
        state = from_transformers(state)
    return {our_name(name): x.float() if x.is_floating_point() else x for name, x in state.items()}


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict in the authors' layout, which has no bases."""
    return {official_name(name): tensor for name, tensor in state.items() if name != BASES}


def is_openmmlab(names: Collection[str]) -> bool:
    """Whether these are names of OpenMMLab's layout, or of the Intel port's, which is like it but for the bases."""
    return any(re.search(r"\bmlp\.dwconv\.weight$", name) for name in names)


def layout_of(names: Collection[str]) -> str:
    """In words, the layout that these names of tensors are in."""
    if is_transformers(names):
        layout = "the layout of SegFormer in transformers"
        whole = any(name.startswith("decode_head.") for name in names)
    elif any(name.startswith("encoder.stages.") for name in names):
        layout, whole = "our own layout", any(name.startswith("decoder.") for name in names)
    elif any(name.startswith("encoder.stages.") for name in map(our_name, names)):
        whole = any(name.startswith("decode_head.") for name in names)
        if official_name(BASES) in names:
            layout = "the Intel port's layout"
        elif is_openmmlab(names):
            layout = "OpenMMLab's layout"
        else:
            layout = "the authors' layout"
    else:
        return "no layout of SegNeXt"
    return layout if whole else f"{layout}, encoder only"
