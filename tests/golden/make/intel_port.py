# ruff: noqa: E402
"""Golden values of SegNeXt in Intel's OTX: its own backbone, head and enlargement, on weights that everyone can draw.

In an environment of its own, with the files of otx 2.6.0 (pip install --no-deps) and segnext:

    python tests/golden/make/intel_port.py

Only the modules of the network are imported, not the packages around them, which want a framework each.
"""

import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segnext.checkpoint.names import layout_of
from segnext.checkpoint.official import from_official
from segnext.checkpoint.unwrap import unwrapped
from segnext.model.families import build

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "checkpoint"))
from test_golden import filled_state, picture, positive

found = importlib.util.find_spec("otx")
assert found is not None
assert found.submodule_search_locations is not None
OTX = Path(found.submodule_search_locations[0])
MODELS = "otx.backend.native.models"
for name in ("otx", "otx.backend", "otx.backend.native", MODELS, f"{MODELS}.utils", f"{MODELS}.segmentation"):
    package: Any = types.ModuleType(name)
    package.__path__ = [str(OTX.joinpath(*name.split(".")[1:]))]
    package.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    sys.modules[name] = package
for part in ("heads", "backbones"):
    name = f"{MODELS}.segmentation.{part}"
    package = types.ModuleType(name)
    package.__path__ = [str(OTX.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = package
loading: Any = types.ModuleType(f"{MODELS}.utils.utils")  # of weights from the network
loading.load_checkpoint_to_model = loading.load_from_http = lambda *_, **__: None
sys.modules[loading.__name__] = loading
from otx.backend.native.models.segmentation.backbones.mscan import MSCAN
from otx.backend.native.models.segmentation.heads.ham_head import LightHamHead

kept = {}
for size, model_name in {"t": "segnext_tiny", "s": "segnext_small", "b": "segnext_base"}.items():
    network = torch.nn.ModuleDict(
        {"backbone": MSCAN(model_name=model_name), "decode_head": LightHamHead(model_name=model_name, num_classes=7)}
    )
    theirs = torch.nn.ModuleDict({"model": torch.nn.ModuleDict({"model": network})})  # as its trainer wraps it
    theirs.load_state_dict(positive(filled_state({name: list(x.shape) for name, x in theirs.state_dict().items()})))
    theirs.eval()
    with torch.no_grad():
        logits = network["decode_head"](network["backbone"](picture()))
        logits = torch.nn.functional.interpolate(logits, size=(64, 96), mode="bilinear", align_corners=True)
    state, _ = unwrapped(theirs.state_dict())
    config, ours = from_official(state, size)
    model = build(config).eval()
    model.load_state_dict(ours)
    with torch.no_grad():
        far = float((model(picture()) - logits).abs().max())
    print(
        f"{size} {layout_of(state)}: rank {config.rank}, largest logit {float(logits.abs().max()):.2f}, "
        f"largest difference {far:.1e}"
    )
    kept[f"{size} logits"] = logits[0, :, ::5, ::5].numpy()
    kept[f"{size} names"] = np.array([[name, str(list(x.shape))] for name, x in theirs.state_dict().items()])
np.savez_compressed(ROOT / "golden" / "intel_port.npz", **kept)
