"""Names of tensors in every layout."""

from typing import Any

import pytest
import torch

from segnext.checkpoint.names import layout_of, official_name, our_name, to_ours
from segnext.model.config import preset
from segnext.model.families import build
from segnext.model.unfilled import unfilled

pytest_plugins = ["official_files"]


@pytest.mark.parametrize("size", ["t", "s", "b", "l"])
def test_names_there_and_back(size: str) -> None:
    with unfilled():
        names = list(build(preset(f"segnext_{size}")).state_dict())
    assert [our_name(official_name(name)) for name in names] == names
    short = [official_name(name).replace("mlp.dwconv.dwconv", "mlp.dwconv") for name in names]
    assert [our_name(name) for name in short] == names
    assert [our_name(name.removeprefix("backbone.")) for name in short] == names


def test_unknown_names_stay() -> None:
    for name in ("head.weight", "layer1.0.conv1.weight", "conv_seg.weight", "block5.0.x", "encoder.stages.0.norm.bias"):
        assert our_name(name) == name


def test_every_layout_is_told_by_its_keys(layouts: Any, ours: Any) -> None:
    for layout, state in layouts.items():
        assert layout_of(state) == layout
        renamed = to_ours(state)
        assert all(torch.equal(renamed[name], ours[name]) for name in renamed if not name.startswith("head."))
    assert layout_of(ours) == "our own layout"
    assert layout_of({"encoder.stages.0.norm.bias"}) == "our own layout, encoder only"
    assert layout_of({"conv1.weight", "head.weight"}) == "no layout of SegNeXt"


def test_half_precision_becomes_float32() -> None:
    state = to_ours({"a": torch.ones(2, dtype=torch.float16), "b": torch.ones(2, dtype=torch.int64)})
    assert (state["a"].dtype, state["b"].dtype) == (torch.float32, torch.int64)
