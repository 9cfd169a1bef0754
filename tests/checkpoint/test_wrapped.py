"""Checkpoints as trainers keep them: wrapped, prefixed, with what else they keep beside the network."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import segnext
from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.config_text import LONGEST, Said, said_by
from segnext.checkpoint.convert import convert_from_official
from segnext.checkpoint.names import to_official, to_ours
from segnext.checkpoint.official import from_official
from segnext.checkpoint.weights import load_weights
from segnext.cli import main
from segnext.errors import SegNextError
from segnext.model.config import SEGNEXT, ModelConfig
from segnext.model.families import build
from segnext.model.unfilled import unfilled

pytest_plugins = ["official_files"]

Save = Callable[[object], Path]
State = dict[str, Tensor]


def prefixed(state: Mapping[str, Tensor], prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def averaged(state: Mapping[str, Tensor]) -> State:
    return {name: x + 1 if x.is_floating_point() else x for name, x in state.items()}


WRAPPED: dict[str, Callable[[State], Any]] = {
    "several devices": lambda state: prefixed(state, "module."),
    "model": lambda state: {"model": state, "epoch": 3},
    "model of several devices": lambda state: {"model": prefixed(state, "module."), "optimizer": {"state": {}}},
    "lightning": lambda state: {
        "state_dict": prefixed(state, "model.") | {"criterion.weight": torch.ones(3)},
        "hyper_parameters": {"lr": 1.0},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}],
    },
    "two wrappers": lambda state: {"state_dict": prefixed(state, "net.model.")},
    "copy beside": lambda state: {"state_dict_ema": averaged(state), "state_dict": state},
    "copy within": lambda state: prefixed(averaged(state), "ema_model.module.") | prefixed(state, "model."),
    "copies of old tools": lambda state: (
        state | {f"ema_{name.replace('.', '_')}": x for name, x in averaged(state).items()}
    ),
    "copy alone": lambda state: {"ema": {"module": state}},
    "auxiliary head": lambda state: {"state_dict": state | {"auxiliary_head.conv_seg.weight": torch.ones(2)}},
    "compiled": lambda state: {"model": prefixed(state, "_orig_mod.module.")},
    "sharded": lambda state: {
        "_fsdp_wrapped_module." + name.replace(".", "._fsdp_wrapped_module.", 1): x for name, x in state.items()
    },
    "a backbone of several devices": lambda state: {
        name.replace("backbone.", "backbone.module."): x for name, x in state.items()
    },
    "average of torch": lambda state: (
        {"n_averaged": torch.tensor(3)} | prefixed(averaged(state), "averaged.module.") | prefixed(state, "model.")
    ),
    "teacher and student": lambda state: prefixed(averaged(state), "teacher.") | prefixed(state, "student."),
    "half": lambda state: {"state_dict": {name: x.half() if x.is_floating_point() else x for name, x in state.items()}},
}


@pytest.mark.parametrize("case", WRAPPED)
@pytest.mark.parametrize("layout", ["the authors' layout", "the Intel port's layout", "OpenMMLab's layout"])
def test_the_network_is_found(
    case: str, layout: str, layouts: Any, ours: Any, tiny: ModelConfig, saved: Save, tmp_path: Path
) -> None:
    path = saved(WRAPPED[case](dict(layouts[layout])))
    assert read_checkpoint(path).layout == layout
    convert_from_official(path, tmp_path / "out.safetensors", rank=4)
    found = load_weights(tmp_path / "out.safetensors").state
    assert found.keys() == ours.keys()
    for name, tensor in found.items():
        rtol, atol = (1e-3, 1e-4) if case == "half" else (0.0, 0.0)
        torch.testing.assert_close(tensor, ours[name], rtol=rtol, atol=atol)


def test_what_is_left_out_is_said(layouts: Any, tiny: ModelConfig, saved: Save, tmp_path: Path, capsys: Any) -> None:
    path = saved(WRAPPED["lightning"](dict(layouts["the authors' layout"])))
    assert main(["convert", str(path), str(tmp_path / "out.safetensors")]) == 0
    assert "1 tensor of the file left out ('criterion.weight' first)" in capsys.readouterr().out


def test_a_tensor_too_many_of_the_network_is_still_refused(layouts: Any, tiny: ModelConfig, saved: Save) -> None:
    state = prefixed(dict(layouts["the authors' layout"]) | {"decode_head.more.weight": torch.ones(1)}, "model.")
    with pytest.raises(SegNextError, match=r"1 unexpected \(decoder; 'decoder\.more\.weight' first\)"):
        convert_from_official(saved(state), Path("never.safetensors"))


NEW = "model = dict(backbone=dict(type='MSCAN'), decode_head=dict(ham_kwargs=dict(MD_R=16), align_corners=False))\n"
OLD = "norm_cfg = dict(type='BN')\nmodel = {'decode_head': {'ham_kwargs': {'MD_R': 24}, 'align_corners': True}}\n"
MEAN = "img_norm_cfg = dict(mean=[1.0, 2, 3.5], std=[4, 5, 6], to_rgb=True)\n"


def test_configurations_are_read_and_never_run(tmp_path: Path) -> None:
    assert said_by({"cfg": NEW}) == Said(16, align_corners=False)
    assert said_by({"config": OLD + MEAN}) == Said(24, True, (1.0, 2.0, 3.5), (4.0, 5.0, 6.0))
    touched = tmp_path / "touched"
    run = f"__import__('pathlib').Path({str(touched)!r}).touch()"
    assert said_by({"cfg": f"{run}\nmodel = dict(decode_head=dict(MD_R={run}))"}) == Said()
    assert not touched.exists()
    assert said_by({"cfg": {"model": {"decode_head": {"MD_R": 16, "align_corners": False}}}}) == Said(16, False)
    two = "model = dict(decode_head=[dict(MD_R=16), dict(MD_R=64)])"
    for text in (two, "model = dict(", "(" * 100_000, "x" * (LONGEST + 1), "MD_R = 'many'", "a\0b", 3, None):
        assert said_by({"cfg": text}) == Said()


def openmmlab(size: str) -> State:
    with unfilled():
        state = build(SEGNEXT[f"segnext_{size}"]).state_dict()
    return {name.replace("mlp.dwconv.dwconv", "mlp.dwconv"): x for name, x in to_official(state).items()}


@pytest.mark.parametrize("size", ["b", "l"])
def test_a_rank_that_may_be_one_or_another_is_asked_for(size: str) -> None:
    with pytest.raises(
        SegNextError, match=r"is 16 in mmsegmentation's configurations, 64 in the authors', .* --rank 16'"
    ):
        from_official(openmmlab(size), "x.pth")
    assert getattr(from_official(openmmlab(size), "x.pth", rank=16)[0], "rank") == 16  # noqa: B009


def test_the_rank_of_the_configuration_is_taken(layouts: Any, tiny: ModelConfig, saved: Save, tmp_path: Path) -> None:
    state, target = dict(layouts["OpenMMLab's layout"]), tmp_path / "out.safetensors"
    convert_from_official(saved({"state_dict": state, "meta": {"cfg": OLD + MEAN}}), target)
    weights = load_weights(target)
    assert isinstance(weights.config, ModelConfig)
    assert (weights.config.rank, weights.config.align_corners) == (24, True)
    assert (weights.preprocess.mean, weights.preprocess.std) == ((1.0, 2.0, 3.5), (4.0, 5.0, 6.0))
    within = {"checkpoint": {"state_dict": state, "meta": {"cfg": OLD + MEAN}}, "epoch": 3}
    convert_from_official(saved(within), target)
    assert getattr(load_weights(target).config, "rank") == 24  # noqa: B009
    convert_from_official(saved({"state_dict": state, "meta": {"cfg": NEW}}), target, rank=8)
    assert getattr(load_weights(target).config, "rank") == 8  # noqa: B009


def test_the_intel_ports_logits_are_enlarged_from_corner_to_corner(
    layouts: Any, tiny: ModelConfig, saved: Save, tmp_path: Path
) -> None:
    convert_from_official(saved(layouts["the Intel port's layout"]), tmp_path / "out.safetensors")
    segmenter = segnext.load(tmp_path / "out.safetensors", "cpu", engine="torch", precision="fp32")
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    x = torch.from_numpy(segmenter.preprocess.normalise(picture).copy())[None]
    with torch.inference_mode():
        low = segmenter.model.decoder(segmenter.model.encoder(x))
        whole = torch.nn.functional.interpolate(low, size=(64, 96), mode="bilinear", align_corners=True)
        torch.testing.assert_close(segmenter.model(x), whole)
    (look,) = segmenter.looks(picture)  # which the folded network gave, with roundings of its own
    low = torch.from_numpy(look.logits).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(low, size=(64, 96), mode="bilinear", align_corners=True)
    torch.testing.assert_close(expected, whole, atol=0.01, rtol=0)
    torch.testing.assert_close(segmenter.logits(picture), expected[0], atol=1e-4, rtol=1e-4)
    assert (segmenter(picture).mask == expected[0].argmax(0).numpy()).mean() > 0.999
    softmax = expected[0].softmax(0).numpy()
    np.testing.assert_allclose(segmenter.probabilities(picture), softmax, atol=1e-4)
    usual = torch.nn.functional.interpolate(low, size=(64, 96), mode="bilinear", align_corners=False)
    assert (usual - expected).abs().max() > 0.1
    with pytest.raises(SegNextError, match="from corner to corner"):
        segnext.load(tmp_path / "out.safetensors", "cpu", testing=segnext.Testing(slide=(64, 32)))
    assert to_ours(layouts["the Intel port's layout"]).keys() == load_weights(tmp_path / "out.safetensors").state.keys()
