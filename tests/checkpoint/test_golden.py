"""Parity with the authors' code, through the official layout."""

import ast
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from segnext.checkpoint.config_text import Said, said_by
from segnext.checkpoint.coverage import compare, part_of
from segnext.checkpoint.names import official_name, to_official, to_ours
from segnext.checkpoint.official import from_official
from segnext.checkpoint.unwrap import unwrapped
from segnext.model.config import SEGNEXT, preset
from segnext.model.families import build
from segnext.model.hamburger import fixed_bases
from segnext.model.unfilled import unfilled

GOLDEN = Path(__file__).parents[2] / "../shared/golden"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden outputs of the authors' code are not here")


def fill(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The weights from which the golden outputs were computed: every tensor drawn from its own name."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    x = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).random(shape)
    if name.endswith("running_var"):
        x = 0.5 + x
    elif name.endswith("running_mean"):
        x = 0.2 * (x - 0.5)
    elif "layer_scale" in name:
        x = 0.05 + 0.1 * x
    elif len(shape) == 1 and name.endswith("weight"):
        x = 0.5 + x
    elif name.endswith("bias"):
        x = 0.2 * (x - 0.5)
    else:
        x = (x - 0.5) * 2 * np.sqrt(3 / np.prod(shape[1:]))
    return np.asarray(x, np.float32)


def picture() -> torch.Tensor:
    """The normalised picture that the golden outputs are of."""
    values = np.random.Generator(np.random.PCG64(1)).random((1, 3, 64, 96)) * 4 - 2
    return torch.from_numpy(values.astype(np.float32))


def filled_state(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(fill(name, tuple(shape))) for name, shape in shapes.items()}


def calm(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same with a tenth of the layer scale, so that the deepest network's numbers stay finite."""
    return {name: x / 10 if "layer_scale" in name else x for name, x in state.items()}


def positive(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same with bases as they are: positive, of length one."""
    return {
        name: torch.nn.functional.normalize(x.abs(), dim=1) if name.endswith("bases") else x
        for name, x in state.items()
    }


@pytest.mark.parametrize("size", ["t", "s", "b"])
def test_the_intel_port_gives_the_same_logits(size: str) -> None:
    golden = np.load(Path(__file__).parents[1] / "golden" / "intel_port.npz")
    shapes = {str(name): list(ast.literal_eval(shape)) for name, shape in golden[f"{size} names"]}
    state, left_out = unwrapped(positive(filled_state(shapes)))  # wrapped as its trainer does
    assert left_out == []
    config, state = from_official(state, size)
    assert config == replace(SEGNEXT[f"segnext_{size}"], num_classes=7, rank=16, align_corners=True)
    model = build(config).eval()
    model.load_state_dict(state)
    with torch.inference_mode():
        logits = model(picture())
    np.testing.assert_allclose(logits[0, :, ::5, ::5], golden[f"{size} logits"], atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", ["t", "s", "b", pytest.param("l", marks=pytest.mark.long)])
def test_mmsegmentation_gives_the_same_logits(size: str) -> None:
    golden = np.load(Path(__file__).parents[1] / "golden" / "mmsegmentation.npz")
    shapes = {str(name): list(ast.literal_eval(shape)) for name, shape in golden[f"{size} names"]}
    said = said_by({"cfg": str(golden[f"{size} config"])})
    assert said == Said(16, False, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))  # of all sizes: inherited
    config, state = from_official(calm(filled_state(shapes)), size, said.rank)
    model = build(config).eval()
    model.load_state_dict(state)
    with torch.inference_mode():
        logits = model.decoder(model.encoder(picture()))
    np.testing.assert_allclose(logits[0, ::8], golden[f"{size} logits"], atol=2e-5, rtol=0)


@needs_golden
@pytest.mark.parametrize("size", ["t", "s", "b", "l"])
def test_names_and_shapes_are_the_official_ones(size: str) -> None:
    shapes = json.loads((GOLDEN / "official_state_dict_shapes.json").read_text())[f"segnext_{size}_ade20k"]
    with unfilled():
        state = build(preset(f"segnext_{size}")).state_dict()
    ours = {name: list(tensor.shape) for name, tensor in to_official(state).items()}
    assert ours == shapes


@needs_golden
@pytest.mark.parametrize("size", ["t", "s", "b", "l"])
def test_every_layout_covers_the_whole_network(size: str) -> None:
    shapes = json.loads((GOLDEN / "official_state_dict_shapes.json").read_text())[f"segnext_{size}_ade20k"]
    authors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    openmmlab = {name.replace("mlp.dwconv.dwconv", "mlp.dwconv"): x for name, x in authors.items()}
    published = SEGNEXT[f"segnext_{size}"]
    with unfilled():
        wanted = build(published).state_dict()
        bases = {"decode_head.hamburger.ham.bases": torch.empty(1, published.decoder_channels, published.rank)}
    for state in (authors, openmmlab, openmmlab | bases):
        rank = published.rank if state is openmmlab else None  # of B and L it may be another
        config = replace(published, align_corners=state.keys() >= bases.keys())
        assert from_official(state, size, rank)[0] == config
        coverage = compare(wanted, to_ours(state | bases))
        assert coverage.complete
        assert len(coverage.loaded) == len(authors) + 1
        encoder = {name[9:]: x for name, x in state.items() if name.startswith("backbone.")}
        alone = compare(wanted, to_ours(encoder))
        assert (alone.wrong_shape, alone.unexpected) == ({}, ())
        assert {part_of(name) for name in alone.missing} == {"decoder", "classifier"}


@needs_golden
@pytest.mark.parametrize("size", ["t", "b"])
def test_every_stage_and_the_logits_match_the_authors_code(size: str) -> None:
    shapes = json.loads((GOLDEN / "official_state_dict_shapes.json").read_text())[f"segnext_{size}_ade20k"]
    config, state = from_official(filled_state(shapes), "golden")
    assert config == preset(f"segnext_{size}")
    model = build(config).eval()
    model.load_state_dict(state)
    golden = np.load(GOLDEN / f"segnext_{size}_ade20k_seed1_1x64x96.npz")
    with torch.inference_mode():
        maps = model.encoder(picture())
        logits = model.decoder(maps)
    for stage, x in enumerate(maps, 1):
        np.testing.assert_allclose(x.numpy(), golden[f"stage{stage}"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(logits.numpy(), golden["logits"], atol=1e-4, rtol=0)


def test_fixed_bases_are_the_documented_ones() -> None:
    uniform = np.random.Generator(np.random.PCG64(7)).random((1, 256, 16)).astype(np.float32)
    expected = uniform / np.linalg.norm(uniform, axis=1, keepdims=True)
    np.testing.assert_allclose(fixed_bases(256, 16).numpy(), expected, rtol=1e-6)


def test_official_names_of_each_part() -> None:
    assert official_name("encoder.stages.0.embed.3.weight") == "backbone.patch_embed1.proj.3.weight"
    assert official_name("encoder.stages.2.embed.0.bias") == "backbone.patch_embed3.proj.bias"
    assert official_name("encoder.stages.2.embed.1.running_var") == "backbone.patch_embed3.norm.running_var"
    assert official_name("encoder.stages.3.norm.weight") == "backbone.norm4.weight"
    assert official_name("encoder.stages.1.blocks.0.norm2.bias") == "backbone.block2.0.norm2.bias"
    assert (
        official_name("encoder.stages.1.blocks.2.attention.msca.strips.1.0.weight")
        == "backbone.block2.2.attn.spatial_gating_unit.conv1_1.weight"
    )
    assert official_name("decoder.hamburger.lower.norm.weight") == "decode_head.hamburger.ham_out.gn.weight"
    assert official_name("decoder.classifier.bias") == "decode_head.conv_seg.bias"
