"""SegFormer as the transformers library has it, and its published sizes."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from peer_cases import drawn, weights
from torch import Tensor

import segnext
from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.convert import convert_from_official
from segnext.checkpoint.module import create_model
from segnext.checkpoint.names import layout_of, to_ours
from segnext.checkpoint.start import start_encoder
from segnext.checkpoint.weights import load_weights
from segnext.errors import SegNextError
from segnext.model.config import PRESETS, SegFormerConfig
from segnext.model.families import build
from segnext.model.fold import fold
from segnext.model.unfilled import unfilled

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "segformer.npz")
SMALL = SegFormerConfig((16, 32, 48, 64), (1, 2, 1, 1), (1, 2, 3, 4), 32, num_classes=5)
MEGA = {"b0": 3.8, "b1": 13.7, "b2": 27.5, "b3": 47.3, "b4": 64.1, "b5": 84.7}  # table 1 of the paper


def published(column: int) -> dict[str, Tensor]:
    """The weights of the golden values by the names of published files, or of the library's fifth version."""
    shapes = {new: torch.empty(ast.literal_eval(shape)) for _, new, shape in GOLDEN["names"]}
    values = weights(cast(Any, SimpleNamespace(state_dict=lambda: shapes)))
    return {str(names[column]): values[names[1]] for names in GOLDEN["names"]}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> SegFormerConfig:
    """A size of which the heads are known, as of the published ones."""
    monkeypatch.setitem(PRESETS, "segformer_small", SMALL)
    return SMALL


@pytest.mark.parametrize("column", [0, 1])
def test_the_librarys_own_network_gives_the_same(column: int) -> None:
    model = build(SMALL).eval()
    state = to_ours(published(column))
    counters = {name: x for name, x in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict(state | counters)
    image = drawn("image", (1, 3, 75, 101))
    with torch.no_grad():
        maps = model.encoder(image)
        logits = model.decoder(maps)
    for index, x in enumerate(maps):
        np.testing.assert_allclose(x[0, ::7, ::2, ::2], GOLDEN[f"map {index}"], atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(logits, GOLDEN["logits"], atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        padded = torch.nn.functional.pad(image, (0, 27, 0, 21))
        expected = model.decoder(model.encoder(padded))
        folded = fold(model)(padded.permute(0, 2, 3, 1))
    torch.testing.assert_close(folded.permute(0, 3, 1, 2), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("size", "mega"), MEGA.items())
def test_sizes_are_the_papers(size: str, mega: float) -> None:
    with unfilled():
        model = create_model(f"segformer_{size}")
    count = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert count == pytest.approx(mega, rel=0.01) or round(count, 1) == mega
    assert model.config.logits_stride == 4
    assert model.encoder.strides == (4, 8, 16, 32)


def test_the_installed_library_agrees() -> None:
    transformers = pytest.importorskip("transformers")
    shape = {"hidden_sizes": [32, 64, 160, 256], "depths": [2, 2, 2, 2], "num_attention_heads": [1, 2, 5, 8]}
    theirs = transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig(num_labels=7, decoder_hidden_size=256, **shape)
    ).eval()
    model = create_model("segformer_b0", num_classes=7).eval()
    model.load_state_dict(to_ours(theirs.state_dict()))
    image = torch.randn(2, 3, 97, 130)
    with torch.no_grad():
        torch.testing.assert_close(model.decoder(model.encoder(image)), theirs(image).logits, atol=1e-5, rtol=1e-5)


def test_published_files_are_converted(small: SegFormerConfig, tmp_path: Path) -> None:
    state = published(0)
    assert layout_of(state) == "the layout of SegFormer in transformers"
    torch.save(state, tmp_path / "pytorch_model.bin")
    convert_from_official(tmp_path / "pytorch_model.bin", tmp_path / "small.safetensors")
    converted = load_weights(tmp_path / "small.safetensors")
    assert converted.config == small
    segmenter = segnext.load(tmp_path / "small.safetensors", "cpu", engine="torch", precision="fp32")
    picture = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    x = torch.from_numpy(segmenter.preprocess.normalise(picture).copy())[None]
    with torch.no_grad():
        maps = torch.nn.functional.pad(x, (0, 6, 0, 26))
        expected = torch.nn.functional.interpolate(
            converted.model().decoder(converted.model().encoder(maps)), scale_factor=4, mode="bilinear"
        )[0, :, :70, :90]
    torch.testing.assert_close(segmenter.logits(picture), expected, atol=2e-5, rtol=1e-4)


def test_encoders_start_their_like(small: SegFormerConfig, tmp_path: Path) -> None:
    encoder = {name: x for name, x in published(0).items() if name.startswith("segformer.")}
    encoder |= {"classifier.weight": torch.zeros(1000, 64), "classifier.bias": torch.zeros(1000)}
    torch.save(encoder, tmp_path / "mit.pth")
    model = build(SegFormerConfig(SMALL.channels, SMALL.depths, SMALL.heads, 64, in_channels=4))
    checkpoint = read_checkpoint(tmp_path / "mit.pth")
    assert checkpoint.layout == "the layout of SegFormer in transformers, encoder only"
    coverage = start_encoder(model, checkpoint)
    assert set(coverage.unexpected) == {"head.weight", "head.bias"}
    assert {name.split(".")[0] for name in coverage.loaded} == {"encoder"}
    with pytest.raises(SegNextError, match="this is the encoder of segformer_small, choose it as the model"):
        start_encoder(create_model("segnext_t"), checkpoint)
    convert_from_official(tmp_path / "mit.pth", tmp_path / "mit.safetensors")
    start_encoder(model, read_checkpoint(tmp_path / "mit.safetensors"))


def test_what_it_does_not_have_is_refused() -> None:
    with pytest.raises(SegNextError, match="segformer_b0 has no 'strips' to change; choose from channels, depths, "):
        create_model("segformer_b0", strips=(7,))
    with pytest.raises(SegNextError, match="a SegFormer has the decoder mlp, not 'ham'"):
        create_model("segformer_b0", decoder="ham")
