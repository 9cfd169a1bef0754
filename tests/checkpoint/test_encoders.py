"""Encoders alone: by the name of one, of a model, of weights, of an encoder's weights."""

import math
from pathlib import Path

import pytest
import torch
from conftest import CONFIG, weights_like

import segnext
from segnext.checkpoint.encoders import create_encoder
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import save_encoder
from segnext.errors import SegNextError
from segnext.model.composed import ENCODERS
from segnext.model.config import SEGFORMER, SEGNEXT
from segnext.model.unfilled import unfilled

QUICK = ("mscan_t", "mit_b0", "segnext_t")  # to build


def slow(name: str) -> object:
    return name if name in QUICK else pytest.param(name, marks=pytest.mark.long)


@pytest.mark.parametrize("name", [slow(name) for name in (*ENCODERS, *SEGNEXT, *SEGFORMER)])
def test_maps_are_as_the_attributes_say(name: str) -> None:
    with unfilled():  # shapes alone: the largest has 300 million parameters
        encoder = create_encoder(name, 4).eval()
        maps = encoder(torch.zeros(1, 4, 96, 160))
    sizes = [(1, width, 96 // s, 160 // s) for width, s in zip(encoder.channels, encoder.strides, strict=True)]
    assert [tuple(each.shape) for each in maps] == sizes


def test_of_whole_weights(weights_file: Path) -> None:
    image = torch.rand(1, 3, 50, 70, generator=torch.manual_seed(0))
    encoder = segnext.create_encoder(str(weights_file))
    assert not encoder.training
    expected = weights_like().model().encoder(image)
    for got, wanted, stride in zip(encoder(image), expected, encoder.strides, strict=True):
        assert got.shape[2:] == (math.ceil(50 / stride), math.ceil(70 / stride))
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)
    grey = segnext.create_encoder(str(weights_file), 1)
    three = image[:, :1].repeat(1, 3, 1, 1)
    torch.testing.assert_close(grey(image[:, :1])[3], encoder(three)[3], rtol=1e-4, atol=1e-4)


def test_of_an_encoder_alone(tmp_path: Path) -> None:
    model = weights_like().model()
    state = {f"encoder.{name}": x for name, x in model.encoder.state_dict().items()}
    save_encoder(state, Provenance(), tmp_path / "encoder.safetensors")
    encoder = create_encoder(str(tmp_path / "encoder.safetensors"))
    assert (encoder.channels, encoder.strides) == (CONFIG.channels, CONFIG.strides)
    image = torch.rand(1, 3, 64, 64, generator=torch.manual_seed(0))
    for got, wanted in zip(encoder(image), model.encoder(image), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def test_of_nothing() -> None:
    with pytest.raises(SegNextError, match=r"mscan_x.*encoders are resnet18, "):
        create_encoder("mscan_x")


def test_the_packaged_one() -> None:
    name = "mscan_t.imagenet_small"
    trained, random = (create_encoder(each) for each in (name, "mscan_t"))
    assert (trained.channels, trained.strides) == (random.channels, random.strides)
    assert all(bool(torch.isfinite(map).all()) for map in trained(torch.rand(1, 3, 64, 64)))
    with pytest.raises(SegNextError, match=r"an encoder alone.*--encoder_weights"):
        segnext.load(name)
