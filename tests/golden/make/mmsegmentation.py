# ruff: noqa: E402
"""Golden values of SegNeXt in mmsegmentation: its own networks and configurations, on weights that everyone can draw.

In an environment of its own, with mmsegmentation 1.2.2, mmcv-lite==2.1.0 and segnext:

    python tests/golden/make/mmsegmentation.py

It prints how far ours are from theirs, and keeps a part of their logits, and of their configurations as text. Their
decomposition draws its bases at every call; here it is given ours.
"""

import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Compiled(types.ModuleType):
    """Stands for mmcv's compiled operators, which SegNeXt does not use."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (nn.Module,), {})


for operators in ("mmcv.ops", "mmcv.ops.point_sample", "mmcv.ops.carafe"):
    sys.modules[operators] = Compiled(operators)
import mmseg
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.models.decode_heads.ham_head import NMF2D
from mmseg.registry import MODELS

from segnext.checkpoint.config_text import said_by
from segnext.checkpoint.names import layout_of
from segnext.checkpoint.official import from_official
from segnext.model.families import build
from segnext.model.hamburger import fixed_bases

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "checkpoint"))
from test_golden import calm, filled_state, picture

FOLDER = Path(mmseg.__file__).parent / ".mim" / "configs" / "segnext"
NMF2D._build_bases = lambda self, B, S, D, R, device=None: fixed_bases(D, R).repeat(B * S, 1, 1)
init_default_scope("mmseg")
kept = {}
for size in "tsbl":
    config = Config.fromfile(FOLDER / f"segnext_mscan-{size}_1xb16-adamw-160k_ade20k-512x512.py")
    config.model.backbone.init_cfg = None
    config.model.decode_head.loss_decode = [{"type": "CrossEntropyLoss"}]
    theirs = MODELS.build(config.model)
    theirs.load_state_dict(calm(filled_state({name: list(x.shape) for name, x in theirs.state_dict().items()})))
    theirs.eval()
    with torch.no_grad():
        logits = theirs.decode_head(theirs.backbone(picture()))
    text = config.pretty_text
    shape, state = from_official(theirs.state_dict(), size, said_by({"cfg": text}).rank)
    ours = build(shape).eval()
    ours.load_state_dict(state)
    with torch.no_grad():
        found = ours.decoder(ours.encoder(picture()))
    print(
        f"{size} {layout_of(theirs.state_dict())}: rank {shape.rank}, largest logit {float(logits.abs().max()):.2f}, "
        f"largest difference {float((found - logits).abs().max()):.1e}"
    )
    names = np.array([[name, str(list(x.shape))] for name, x in theirs.state_dict().items()])
    kept |= {f"{size} logits": logits[0, ::8].numpy(), f"{size} config": np.array(text), f"{size} names": names}
np.savez_compressed(ROOT / "golden" / "mmsegmentation.npz", **kept)
