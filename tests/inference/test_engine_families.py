"""Every engine gives the logits of torch, for every family, whichever size of picture comes first."""

from functools import partial

import numpy as np
import pytest
import torch
from conftest import CONFIG

from segnext.checkpoint.weights import Weights
from segnext.data.known import labels_for_count
from segnext.inference.engines import start
from segnext.inference.runtime import EngineName, Runtime
from segnext.model import compose
from segnext.model.config import NetworkConfig, SegFormerConfig, preset
from segnext.model.encoders.hrformer import hrformer
from segnext.model.encoders.hrnet import hrnet
from segnext.model.encoders.resnet import BasicBlock, ResNet
from segnext.model.encoders.vit import ViT
from segnext.model.families import build
from segnext.model.network import Network
from segnext.preprocess import Preprocess

SIZES = ((32, 32), (64, 64), (128, 128), (96, 160))
TOLERANCE = 1e-5  # of the range of the logits
SEGFORMER = SegFormerConfig(
    channels=(8, 16, 16, 32), depths=(1, 1, 1, 1), heads=(1, 2, 2, 2), decoder_channels=16, num_classes=4
)
NARROW = {
    "resnet18": partial(ResNet, block=BasicBlock, depths=(1, 1, 1, 1)),
    "resnet18_d8": partial(ResNet, block=BasicBlock, depths=(1, 1, 1, 1), output_stride=8),
    "hrnet_w18_small": partial(hrnet, widths=(4, 8, 16, 32), units=(1, 1, 1), blocks=1, stem=(8, 1)),
    "hrformer_s": partial(hrformer, widths=(8, 16, 16, 32), heads=(1, 2, 2, 2), units=(1, 1, 1)),
    "vit_b": partial(ViT, width=16, depth=4, heads=2),
}
COMPOSED = (
    "resnet18+fcn8s",
    "resnet18_d8+psp",
    "resnet18_d8+aspp",
    "resnet18_d8+deeplabv3plus",
    "resnet18+danet",
    "resnet18+upernet",
    "mobilenet_v2+fcn",
    "hrnet_w18_small+stacked",
    "hrnet_w18_small+ham",
    "hrformer_s+ocr3",
    "vit_b+setr_naive",
    "vit_b+setr_pup",
    "vit_b+setr_mla",
)


@pytest.fixture(autouse=True)
def narrow_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, part in NARROW.items():
        monkeypatch.setitem(compose.DROPPING if name in compose.DROPPING else compose.CONVOLUTIONAL, name, part)


def config_of(name: str) -> NetworkConfig:
    if name == "segnext":
        return CONFIG
    if name == "segformer":
        return SEGFORMER
    width = {} if name.endswith("stacked") else {"decoder_channels": 32}
    return preset(name, num_classes=4, **width)


def trained(config: NetworkConfig) -> Network:
    """Random weights, with what starts at zero awake, and statistics of BatchNorm that normalise."""
    torch.manual_seed(0)
    model = build(config)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.randn(4, 3, 64, 64))
    return model.eval()


NAMES = ("segnext", "segformer", *COMPOSED)
QUICK = [("segformer", "openvino"), ("resnet18+danet", "openvino")]  # attention that may have a single position
CASES = [pytest.param(name, "torch", id=f"{name}-torch") for name in NAMES]
CASES += [
    pytest.param(name, engine, marks=() if (name, engine) in QUICK else pytest.mark.long, id=f"{name}-{engine}")
    for name in NAMES
    for engine in ("openvino", "onnxruntime")
]


@pytest.mark.parametrize(("name", "engine"), CASES)
def test_logits_are_those_of_torch(name: str, engine: EngineName) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    config = config_of(name)
    model = trained(config)
    running = start(
        Weights(config, labels_for_count(4), Preprocess(), model.state_dict()), Runtime(engine, "cpu", "fp32")
    )
    for size in SIZES:
        image = np.random.default_rng(0).standard_normal((1, *size, 3), np.float32)
        with torch.inference_mode():
            expected = model.decoder(model.encoder(torch.from_numpy(image).permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        spread = float(expected.max() - expected.min())
        np.testing.assert_allclose(running(image), expected, rtol=0, atol=TOLERANCE * spread, err_msg=f"{size}")
