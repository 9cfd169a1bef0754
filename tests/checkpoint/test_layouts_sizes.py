"""Every size as every trainer wraps it, through the file that we write, against the original's logits."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_golden import calm, filled_state, picture
from test_wrapped import WRAPPED
from torch import Tensor

from segnext.checkpoint.convert import convert_from_official
from segnext.checkpoint.weights import load_weights

GOLDEN = Path(__file__).parents[1] / "golden" / "mmsegmentation.npz"
HALF = 0.02  # of logits up to 3.4, from weights of eleven bits


def of_old_tools(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of mmsegmentation 0.x and the authors."""
    return {name.replace("mlp.dwconv.", "mlp.dwconv.dwconv."): x for name, x in state.items()}


def differences(size: str, folder: Path) -> dict[str, float]:
    """For every wrapping the largest difference from mmsegmentation's logits; the rank is found in the file."""
    golden = np.load(GOLDEN)
    shapes = {str(name): list(ast.literal_eval(shape)) for name, shape in golden[f"{size} names"]}
    state, text = calm(filled_state(shapes)), str(golden[f"{size} config"])
    files: dict[str, Any] = {name: wrap(dict(state)) for name, wrap in WRAPPED.items()}
    files = {name: {"checkpoint": content, "meta": {"cfg": text}} for name, content in files.items()}
    files["mmsegmentation 1.x"] = {"state_dict": state, "meta": {"cfg": text}}
    files["mmsegmentation 0.x"] = {"state_dict": of_old_tools(state), "meta": {"config": text}}
    return {name: _difference(content, folder, golden[f"{size} logits"]) for name, content in files.items()}


@torch.inference_mode()
def _difference(content: Any, folder: Path, logits: Any) -> float:
    torch.save(content, folder / "in.pth")
    convert_from_official(folder / "in.pth", folder / "out.safetensors")
    model = load_weights(folder / "out.safetensors").model()
    return float(np.abs(model.decoder(model.encoder(picture()))[0, ::8].numpy() - logits).max())


@pytest.mark.long
@pytest.mark.parametrize("size", ["t", "s", "b", "l"])
def test_every_wrapping_gives_the_originals_logits(size: str, tmp_path: Path) -> None:
    found = differences(size, tmp_path)
    print(size, {name: f"{value:.1e}" for name, value in found.items()})
    assert {name for name, value in found.items() if value > (HALF if name == "half" else 2e-5)} == set()
