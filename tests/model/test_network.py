"""Every preset as a whole: sizes, determinism, gradients."""

import dataclasses
import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from segnext.checkpoint.module import create_model
from segnext.errors import SegNextError
from segnext.model.config import SEGNEXT, ModelConfig, ablations, preset
from segnext.model.families import build
from segnext.model.hamburger import CD, NMF
from segnext.model.network import Network
from segnext.model.unfilled import unfilled

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2))
DIGEST = """
import hashlib, numpy, torch
from segnext.checkpoint.module import create_model
torch.set_num_threads(1)
torch.manual_seed(0)
model = create_model("segnext_t", num_classes=5).eval()
image = numpy.random.Generator(numpy.random.PCG64(5)).normal(size=(1, 3, 45, 70)).astype("float32")
with torch.inference_mode():
    logits = model(torch.from_numpy(image))
digest = hashlib.sha256(logits.numpy().tobytes()).hexdigest()
"""


def tiny(num_classes: int = 5, in_channels: int = 3) -> Network:
    torch.manual_seed(0)
    return build(dataclasses.replace(TINY, num_classes=num_classes, in_channels=in_channels))


def pictures(batch: int, height: int, width: int, bands: int = 3) -> torch.Tensor:
    values = np.random.Generator(np.random.PCG64(5)).normal(size=(batch, bands, height, width))
    return torch.from_numpy(values.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "count"),
    [("segnext_t", 4_263_414), ("segnext_s", 13_932_886), ("segnext_b", 27_636_310), ("segnext_l", 48_926_550)],
)
def test_parameter_counts_with_150_classes(name: str, count: int) -> None:
    with unfilled():
        model = create_model(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_presets_are_those_of_the_paper() -> None:
    assert list(SEGNEXT) == ["segnext_t", "segnext_s", "segnext_b", "segnext_l"]
    assert [(p.rank, p.decoder_channels, p.drop_path) for p in SEGNEXT.values()] == [
        (16, 256, 0.1),
        (16, 256, 0.1),
        (64, 512, 0.1),
        (64, 1024, 0.3),
    ]


@pytest.mark.parametrize(("height", "width"), [(37, 53), (1, 1), (33, 64), (8, 200)])
@pytest.mark.parametrize(("num_classes", "in_channels"), [(7, 3), (1, 4), (2, 1)])
def test_logits_have_the_pictures_size(height: int, width: int, num_classes: int, in_channels: int) -> None:
    model = tiny(num_classes, in_channels).eval()
    with torch.inference_mode():
        logits = model(pictures(2, height, width, in_channels))
        small = model.decoder(model.encoder(pictures(2, height, width, in_channels)))
    assert logits.shape == (2, num_classes, height, width)
    assert small.shape == (2, num_classes, -(-height // 8), -(-width // 8))
    assert logits.isfinite().all()


def test_evaluation_gives_the_same_bits_again_and_in_another_process() -> None:
    threads = torch.get_num_threads()
    here: dict[str, str] = {}
    try:
        for _ in range(2):
            exec(DIGEST, here)
            first = here.setdefault("first", here["digest"])
            assert here["digest"] == first
    finally:
        torch.set_num_threads(threads)
    there = subprocess.run([sys.executable, "-c", DIGEST + "print(digest)"], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == first


def test_a_batch_gives_what_its_pictures_give_alone() -> None:
    torch.manual_seed(0)
    model = create_model("segnext_t", num_classes=5).eval()
    batch = pictures(3, 40, 56)
    with torch.inference_mode():
        together = model(batch)
        alone = torch.cat([model(image[None]) for image in batch])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_evaluation_leaves_no_trace() -> None:
    model = tiny().eval()
    digests = []
    for _ in range(2):
        with torch.inference_mode():
            model(pictures(2, 33, 40))
        content = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
        digests.append(hashlib.sha256(content).hexdigest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "segnext_t" else pytest.mark.long) for name in SEGNEXT]
)
def test_backward_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    model = build(preset(name, num_classes=3, drop_path=0.0, dropout=0.0)).train()
    model(pictures(2, 32, 32)).square().mean().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        if parameter.ndim > 1:  # the gradient of a bias before a norm is zero
            assert parameter.grad.any(), parameter_name


def test_both_memory_formats_give_the_same_gradients() -> None:
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model = tiny().train().to(memory_format=memory_format)  # type: ignore[call-overload]
        model.decoder.dropout.p = 0.0
        model.encoder.apply(lambda module: setattr(module, "probability", 0.0))
        images = pictures(2, 64, 64).contiguous(memory_format=memory_format)
        model(images).square().mean().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for contiguous, channels_last in zip(*gradients, strict=True):
        torch.testing.assert_close(contiguous, channels_last, rtol=1e-3, atol=1e-5)


def test_generators_of_training_are_those_of_the_decompositions() -> None:
    model = tiny()
    assert [generator.device.type for generator in model.random_generators()] == ["cpu"]
    assert model.random_generators() == [module.generator for module in model.modules() if isinstance(module, NMF)]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SegNextError, match="unknown model 'segnext_x'; did you mean segnext_t, segnext_s"):
        create_model("segnext_x")
    with pytest.raises(SegNextError, match="decoder is 'fpn'; choose from ham, mlp, aspp, psp, danet"):
        create_model("segnext_t", decoder="fpn")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": "gc"}, "context is 'gc'; choose from nmf, vq, cd, cc, ema, nl"),
        ({"stripes": (7,)}, "segnext_t has no 'stripes' to change; did you mean strips?"),
        ({"stages": (3, 2)}, r"stages is \(3, 2\); give some of 1, 2, 3, 4, in this order"),
        ({"stages": (0, 1)}, r"stages is \(0, 1\); give some of 1, 2, 3, 4"),
        ({"stages": ()}, r"stages is \(\); give some of 1, 2, 3, 4"),
        ({"strips": (7, 10)}, r"strips is \(7, 10\) and square None; lengths must be odd"),
        ({"square": -3}, r"square -3; lengths must be odd and positive"),
        ({"inverse_temperature": 0.0, "context": "vq"}, "inverse_temperature is 0.0; it must be positive"),
        ({"lka": True, "strips": (7,)}, "strips has no effect beside lka; leave it out"),
        ({"lka": True, "gate": False}, "gate has no effect beside lka"),
        ({"inverse_temperature": 10.0}, "inverse_temperature has no effect beside context 'nmf'"),
        ({"context": "nl", "one_step_gradient": True}, "one_step_gradient has no effect beside context 'nl'"),
        ({"refine": -32}, "refine is -32; it must be a multiple of 32, or 0 to leave it out"),
        ({"refine": 33}, "refine is 33; it must be a multiple of 32"),
        ({"decoder": "mlp", "refine": 32}, "refine has no effect beside decoder 'mlp'"),
        ({"decoder": "mlp", "stages": (1, 2)}, "stages has no effect beside decoder 'mlp'"),
        ({"decoder": "psp", "context": "ema"}, "context has no effect beside decoder 'psp'"),
    ],
)
def test_changes_that_cannot_be_or_do_nothing_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SegNextError, match=message):
        create_model("segnext_t", **changes)


def test_changes_reach_the_modules() -> None:
    small: dict[str, Any] = {"channels": (8, 16, 24, 32), "depths": (1, 1, 1, 1), "decoder_channels": 64}
    model = create_model("segnext_t", context="cd", inverse_temperature=10.0, one_step_gradient=True, **small)
    ham = model.get_submodule("decoder.hamburger.ham")
    assert isinstance(ham, CD)
    assert (ham.inverse_temperature, ham.one_step_gradient, len(model.random_generators())) == (10.0, True, 1)
    assert ablations(preset("segnext_b", rank=3, num_classes=2)) == []
    assert ablations(preset("segnext_b", decoder="psp", mix=False)) == ["decoder", "mix"]
