"""Encoders and decoders of other networks: as their public code gives, at any size, with any bands."""

import itertools
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peer_cases import CLASSES, DECODERS, ENCODERS, WIDTHS, drawn, ours, outputs
from torch import Tensor

from segnext.model.decoders.fcn import FCN8sDecoder
from segnext.model.decoders.parts import region_means
from segnext.model.encoders.hrformer import WindowAttention, hrformer
from segnext.model.encoders.hrnet import hrnet
from segnext.model.encoders.mobilenet_v2 import MobileNetV2
from segnext.model.encoders.resnet import BasicBlock, ResNet
from segnext.model.encoders.vit import ViT, from_transformers, interpolated

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "peers.npz")
SMALL: dict[str, Callable[[int], Any]] = {
    "resnet": lambda bands: ResNet(block=BasicBlock, depths=(1, 1, 1, 1), in_channels=bands, output_stride=16),
    "mobilenet_v2": lambda bands: MobileNetV2(in_channels=bands, output_stride=8),
    "hrnet": lambda bands: hrnet(widths=WIDTHS, units=(1, 1, 1), blocks=1, stem=(8, 1), in_channels=bands),
    "hrformer": lambda bands: hrformer(widths=WIDTHS, heads=(1, 2, 2, 4), units=(1, 1, 1), in_channels=bands),
    "vit": lambda bands: ViT(width=16, depth=4, heads=2, grid=3, in_channels=bands),
}


@pytest.mark.parametrize("case", [case for case in (*ENCODERS, *DECODERS) if case != "vit"])
def test_the_public_code_gives_the_same(case: str) -> None:
    found = outputs(ours(case), case)
    assert found.keys() == {key for key in GOLDEN.files if key.rsplit(" ", 1)[0] == case}
    for key, values in found.items():
        np.testing.assert_allclose(values, GOLDEN[key], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 70)])
def test_encoders_take_any_size_and_any_bands(name: str, height: int, width: int) -> None:
    encoder = SMALL[name](5).eval()
    maps = encoder(torch.rand(2, 5, height, width))
    expected = [
        (2, channels, math.ceil(height / stride), math.ceil(width / stride))
        for channels, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]
    assert [tuple(x.shape) for x in maps] == expected


@pytest.mark.parametrize("name", SMALL)
def test_every_weight_learns(name: str) -> None:
    encoder = SMALL[name](3)
    sum(x.square().mean() for x in encoder(torch.rand(2, 3, 64, 64))).backward()
    assert [key for key, weight in encoder.named_parameters() if weight.grad is None] == []
    layered = [
        parameter
        for layer in itertools.chain(*encoder.layers())
        for module in layer
        for parameter in module.parameters()
    ]
    assert len(encoder.layers()) == 4
    assert len(layered) == len({*layered}) == len(list(encoder.parameters()))


@pytest.mark.parametrize("case", DECODERS)
def test_decoders_take_a_pyramid_too(case: str) -> None:
    maps = [
        torch.rand(2, width, 25 // factor, 41 // factor) for width, factor in zip(WIDTHS, (1, 2, 4, 8), strict=True)
    ]
    assert ours(case)(maps).shape[:2] == (2, CLASSES)


def test_window_attention_by_hand() -> None:
    """A 3 x 5 map in 2 x 2 windows: padded by a row below and a column on the right, each window on its own."""
    attention = WindowAttention(4, heads=2, window=2)
    x = drawn("x", (1, 3, 5, 4))
    padded = torch.zeros(1, 4, 6, 4)
    padded[:, :3, :5] = x
    expected = torch.zeros(1, 4, 6, 4)
    table = attention.relative_position_bias_table
    for top in (0, 2):
        for left in (0, 2, 4):
            places = [(top + row, left + column) for row in (0, 1) for column in (0, 1)]
            for head in (0, 1):
                part = slice(2 * head, 2 * head + 2)
                for row, column in places:
                    query = attention.q_proj(padded[0, row, column])[part]
                    scores = torch.stack(
                        [
                            query @ attention.k_proj(padded[0, r, c])[part] / 2**0.5
                            + table[(row - r + 1) * 3 + column - c + 1, head]
                            for r, c in places
                        ]
                    ).softmax(0)
                    values = [attention.v_proj(padded[0, r, c])[part] for r, c in places]
                    expected[0, row, column, part] = sum(s * v for s, v in zip(scores, values, strict=True))
    torch.testing.assert_close(attention(x), attention.out_proj(expected)[:, :3, :5])


def test_fcn8s_sums_scores_of_three_maps() -> None:
    decoder = FCN8sDecoder(encoder_channels=(1, 1, 1, 1), channels=1, num_classes=1).eval()
    for skip in decoder.skips:
        torch.nn.init.ones_(skip.get_parameter("weight"))
    constant = [torch.full((1, 1, side, side), value) for side, value in ((8, 9.0), (4, 1.0), (2, 10.0), (1, 0.0))]
    assert torch.equal(decoder(constant), torch.full((1, 1, 4, 4), 11.0))


def test_positions_are_interpolated() -> None:
    ramp = torch.arange(16.0).view(1, 16, 1)
    embedding = torch.cat([torch.full((1, 1, 1), -5.0), ramp], dim=1)
    assert interpolated(embedding, 4, 4) is embedding
    found = interpolated(embedding, 8, 4)
    assert found[0, 0] == -5.0
    assert found.shape == (1, 33, 1)
    assert torch.all(found[0, 1:].view(8, 4).diff(dim=0) > 0)


@pytest.mark.parametrize("layers", ["vit.encoder.layer", "layers"])
def test_transformers_weights_load(layers: str) -> None:
    """Names as in the Hub's files, and as transformers 5 has them in memory."""
    hub = layers.startswith("vit")
    attention = {
        part: f"attention.attention.{part}" if hub else f"attention.{part[0]}_proj"
        for part in ("query", "key", "value")
    }
    rest: dict[str, tuple[str, tuple[int, ...]]] = {}
    rest |= {"proj": ("attention.output.dense" if hub else "attention.o_proj", (16, 16))}
    rest |= {"expand": ("intermediate.dense" if hub else "mlp.fc1", (64, 16))}
    rest |= {"project": ("output.dense" if hub else "mlp.fc2", (16, 64))}
    rest |= {"norm1": ("layernorm_before", (16,)), "norm2": ("layernorm_after", (16,))}
    top = "vit." if hub else ""
    state: dict[str, Tensor] = {
        f"{top}embeddings.cls_token": drawn("cls", (1, 1, 16)),
        f"{top}embeddings.position_embeddings": drawn("positions", (1, 5, 16)),
        f"{top}embeddings.patch_embeddings.projection.weight": drawn("patch", (16, 3, 16, 16)),
        f"{top}embeddings.patch_embeddings.projection.bias": drawn("patch bias", (16,)),
        f"{top}layernorm.weight": drawn("norm", (16,)),
        f"{top}layernorm.bias": drawn("norm bias", (16,)),
    }
    for number in range(4):
        for name, shape in [(name, (16, 16)) for name in attention.values()] + list(rest.values()):
            state[f"{layers}.{number}.{name}.weight"] = drawn(f"{number} {name}", shape)
            state[f"{layers}.{number}.{name}.bias"] = drawn(f"{number} {name} bias", shape[:1])
    encoder = SMALL["vit"](3)
    encoder.load_state_dict(from_transformers(state, grid=3))
    query = state[f"{layers}.2.{attention['query']}.weight"]
    assert torch.equal(encoder.blocks[2].qkv.weight[:16], query)
    assert torch.equal(encoder.blocks[3].project.weight, state[f"{layers}.3.{rest['project'][0]}.weight"])


@pytest.mark.parametrize(("height", "width"), [(1, 2), (5, 6), (17, 23)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_region_means_are_exported_as_what_they_are(
    height: int, width: int, bins: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = drawn("map", (2, 3, height, width))
    expected = region_means(x, bins)
    monkeypatch.setattr("torch.compiler.is_exporting", lambda: True)
    torch.testing.assert_close(region_means(x, bins), expected)


@pytest.mark.parametrize("name", [pytest.param("hrformer", marks=pytest.mark.long), "vit"])
def test_openvino_runs_what_attends_at_other_sizes(name: str) -> None:
    """Windows are cut and positions interpolated within the converted network, for any size."""
    openvino = pytest.importorskip("openvino")
    encoder = ours(name)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter's own use of what is deprecated
        example = torch.zeros(1, 3, 64, 96)
        converted = openvino.convert_model(encoder, example_input=example, input=[1, 3, -1, -1])
        network = openvino.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        image = drawn("image", (1, 3, 128, 160))
        for found, expected in zip(network([image.numpy()]).values(), encoder(image), strict=True):
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)
