"""Any encoder under any decoder: named, built, counted like their papers, and stored."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peer_cases import drawn

from segnext.checkpoint.module import create_model
from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.data.known import labels_for_count
from segnext.errors import SegNextError
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.model import functions
from segnext.model.complexity import count
from segnext.model.compose import CONVOLUTIONAL, DECODERS, DROPPING
from segnext.model.composed import COMPOSED, DECODER_CHANNELS, ENCODERS, pair
from segnext.model.config import named, preset
from segnext.model.decoders.fcn import FCNDecoder
from segnext.model.families import build
from segnext.model.unfilled import unfilled
from segnext.preprocess import Preprocess

# Name, classes, height, width, parameters in 1e6, multiply-adds in 1e9, the map and number of auxiliary heads that the
# published parameters include; see docs/peers.md for where the figures are from.
PUBLISHED = [
    ("fcn_resnet101", 150, 512, 512, 68.6, 275.7, 1),
    ("fcn_mobilenet_v2", 150, 512, 512, 9.8, 39.6, 1),
    ("pspnet_resnet101", 150, 512, 512, 68.1, 256.4, 1),
    ("pspnet_mobilenet_v2", 150, 512, 512, 13.7, 52.9, 1),
    ("deeplabv3plus_resnet101", 150, 512, 512, 62.7, 255.1, 1),
    ("deeplabv3plus_mobilenet_v2", 150, 512, 512, 15.4, 69.4, 1),
    ("deeplabv3_resnet50", 21, 520, 520, 42.004, None, 1),
    ("deeplabv3_resnet101", 21, 520, 520, 60.996, None, 1),
    ("danet_resnet101", 150, 512, 512, 69.0, None, 1),
    ("upernet_resnet101", 150, 512, 2048, 86.0, 1029.0, 1),
    ("hrnet_w48", 19, 1024, 2048, 65.8, 696.2 * 1.073741824, 0),
    ("hrnet_w18_small_v2", 19, 1024, 2048, 3.94, 71.6 * 1.073741824, 0),
    ("hrnet_w18_small", 19, 1024, 2048, 1.54, 31.1 * 1.073741824, 0),
    ("ocrnet_hrnet_w48", 150, 512, 512, 70.5, None, 0),
    ("hrformer_s", 19, 512, 512, 13.5, None, 0),
    ("hrformer_b", 150, 512, 512, 56.2, None, 0),
    ("hrformer_b_w13", 150, 512, 512, 56.2, 280.0, 0),
]


# Whose smaller sisters are counted always.
LARGE = ("hrnet_w48", "ocrnet_hrnet_w48", "hrformer_b", "hrformer_b_w13", "upernet_resnet101")
COUNTED = [pytest.param(*row, marks=pytest.mark.long if row[0] in LARGE else (), id=row[0]) for row in PUBLISHED]


@pytest.mark.parametrize(("name", "classes", "height", "width", "mega", "giga", "auxiliary"), COUNTED)
def test_counts_are_the_papers(
    name: str, classes: int, height: int, width: int, mega: float, giga: float | None, auxiliary: int
) -> None:
    parts = count(preset(name, num_classes=classes), height, width)
    parameters = sum(part.parameters for part in parts)
    if auxiliary:  # published parameters include the auxiliary head on the third map
        third = 96 if "mobilenet" in name else 1024
        head = FCNDecoder(encoder_channels=(third,), channels=256, num_classes=classes, convs=1)
        parameters += sum(parameter.numel() for parameter in head.parameters())
    assert parameters / 1e6 == pytest.approx(mega, rel=0.01)
    if giga is not None:
        assert sum(part.operations for part in parts) / 1e9 == pytest.approx(giga, rel=0.01)


@pytest.mark.parametrize(
    ("size", "head", "mega", "auxiliary"),
    [
        *[("l", "naive", 305.67, 0), ("l", "pup", 318.31, 4), ("l", "mla", 310.57, 0)],
        *[("b", "naive", 87.69, 0), ("b", "pup", 97.64, 4), ("b", "mla", 92.59, 0)],
    ],
)
def test_setr_has_its_papers_parameters(size: str, head: str, mega: float, auxiliary: int) -> None:
    with unfilled():
        model = build(preset(f"setr_{head}_vit_{size}", num_classes=19))
        width = model.encoder.channels[0]
        one = FCNDecoder(encoder_channels=(width,), channels=256, num_classes=19, convs=1)
    found = sum(parameter.numel() for parameter in model.parameters())
    found += auxiliary * sum(parameter.numel() for parameter in one.parameters())
    found += (48**2 - 32**2) * width  # the paper's images are of 768 pixels, and ours has 32 x 32 learned positions
    assert found / 1e6 == pytest.approx(mega, rel=0.01)


def test_every_name_is_built() -> None:
    assert set(ENCODERS) == {*CONVOLUTIONAL, *DROPPING}
    assert set(DECODER_CHANNELS) == set(DECODERS)
    with unfilled():
        for name, config in COMPOSED.items():
            assert named(name) == config
            model = build(config)
            assert tuple(model.encoder.strides) == config.strides


@pytest.mark.parametrize("decoder", DECODER_CHANNELS)
@pytest.mark.parametrize("encoder", ["mscan_t", "vit_b", "mobilenet_v2_d8", "mit_b0"])
def test_pairs_give_logits_where_they_say(encoder: str, decoder: str) -> None:
    config = preset(f"{encoder}+{decoder}", num_classes=3, in_channels=4)
    with unfilled():
        model = build(config).to("meta").eval()
        image = torch.empty(1, 4, 64, 96)
        logits = model.decoder(model.encoder(image))
        assert logits.shape == (1, 3, 64 // config.logits_stride, 96 // config.logits_stride)
        assert model(torch.empty(1, 4, 33, 47)).shape == (1, 3, 33, 47)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet50+nothing", "decoder is 'nothing'; choose from "),
        ("resnet51+ham", "encoder is 'resnet51'; did you mean resnet18 or resnet50"),
        ("resnet51", "unknown model 'resnet51'; "),
        ("nowhere:build", "nowhere:build: there is no such function"),
        ("json:nothing", "there is no such function"),
        ("json:dumps", "cannot be called with num_classes and in_channels"),
    ],
)
def test_wrong_names_are_told(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(functions.ALLOWED, "")
    with pytest.raises(SegNextError, match=message):
        build(preset(name))
    with pytest.raises(SegNextError, match="fcn_resnet50 has no 'strips' to change"):
        preset("fcn_resnet50", strips=(7,))
    with pytest.raises(SegNextError, match="decoder_channels is 0"):
        build(replace(pair("resnet18+fcn"), decoder_channels=0))


@pytest.fixture(scope="module")
def small_weights() -> Weights:
    """Shallow and narrow, in the composed family; the logits varied."""
    torch.manual_seed(0)
    config = preset("hrnet_w18_small", num_classes=4)
    state = build(config).state_dict()
    state["decoder.classifier.weight"] = drawn("classifier", state["decoder.classifier.weight"].shape)
    return Weights(config, labels_for_count(4), Preprocess(), state)


def test_weights_files_name_the_family(small_weights: Weights, tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_weights(small_weights, file)
    found = load_weights(file)
    assert found.config == small_weights.config
    image = drawn("image", (1, 3, 40, 56))
    with torch.inference_mode():
        assert torch.equal(found.model()(image), small_weights.model()(image))


OWN = """
from torch import nn

def build(num_classes, in_channels):
    return nn.Conv2d(in_channels, num_classes, 3, stride=4, padding=1)

def wrong(num_classes, in_channels):
    return nn.Conv2d(in_channels, num_classes + 1, 1)
"""


def test_a_function_of_the_users_makes_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_for_test.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(functions.ALLOWED, "")
    model = create_model("mine_for_test:build", num_classes=4, in_channels=3)
    assert model(torch.rand(2, 3, 30, 41)).shape == (2, 4, 30, 41)
    weights = Weights(model.config, labels_for_count(4), Preprocess(), model.state_dict())
    file = tmp_path / "own.safetensors"
    save_weights(weights, file)
    image = np.zeros((30, 41, 3), np.uint8)
    expected = Segmenter(load_weights(file), Runtime("torch", "cpu"))(image).mask
    assert expected.shape == (30, 41)
    with pytest.raises(SegNextError, match=r"it must give logits, \(batch, 4, height, width\)"):
        create_model("mine_for_test:wrong", num_classes=4)(torch.rand(1, 3, 8, 8))
    monkeypatch.setenv(functions.ALLOWED, "")  # as in another process, which only has the file
    with pytest.raises(SegNextError, match="made by the function mine_for_test:build, which is not segnext's"):
        load_weights(file)
    functions.allow("mine_for_test:build")
    assert load_weights(file).config == weights.config


def test_a_header_cannot_name_what_there_is_not(small_weights: Weights, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from segnext.checkpoint.weights import metadata_of

    for field, value in (("encoder", "../../x"), ("decoder_channels", -1), ("decoder", None)):
        content = json.loads(metadata_of(small_weights)["segnext"])
        content["model"][field] = value
        if field == "decoder_channels":
            content["model"]["decoder"] = "fcn"
        file = tmp_path / f"{field}.safetensors"
        save_file({"x": torch.zeros(1)}, file, {"format": "segnext 1", "segnext": json.dumps(content)})
        with pytest.raises(SegNextError, match="its header does not fit this version"):
            load_weights(file)
