"""What every encoder preset with every decoder, and every ablation, must do."""

import copy
import json
import pickle
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch.utils.data import DataLoader, Dataset

from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.labels import Labels
from segnext.model.config import Architecture, ModelConfig, NetworkConfig, StagedConfig, preset, staged_presets
from segnext.model.families import build
from segnext.model.network import Network
from segnext.preprocess import Preprocess

ABLATIONS: dict[str, dict[str, Any]] = {
    "ham with stage 1": {"stages": (1, 2, 3, 4)},
    "ham on stages 3 and 4": {"stages": (3, 4)},
    "one-step gradient": {"one_step_gradient": True},
    "vq": {"context": "vq"},
    "cd": {"context": "cd", "inverse_temperature": 10.0, "one_step_gradient": True},
    "criss-cross": {"context": "cc"},
    "ema": {"context": "ema"},
    "non-local": {"context": "nl"},
    "strip 11 alone": {"strips": (11,)},
    "no strips": {"strips": ()},
    "one large kernel": {"strips": (), "square": 21},
    "no 1x1": {"mix": False},
    "no gating": {"gate": False},
    "lka": {"lka": True},
    "refined": {"refine": 32},
}
ENDS = ("segnext_t", "segnext_l", "segformer_b0", "segformer_b5")  # the sizes between them are the long form
CASES = [
    pytest.param(*(name, {"decoder": decoder}), id=f"{name}-{decoder}", marks=() if name in ENDS else pytest.mark.long)
    for name, shape in staged_presets().items()
    for decoder in shape.decoders
]
CASES += [pytest.param("segnext_t", changes, id=title) for title, changes in ABLATIONS.items()]
every_case = pytest.mark.parametrize(("name", "changes"), CASES)


def small(name: str, changes: dict[str, Any]) -> NetworkConfig:
    """The preset at a quarter of its width and a third of its depth, nothing dropped, 4 bands, 5 classes."""
    full = preset(name, num_classes=5, in_channels=4, drop_path=0.0, dropout=0.0, **changes)
    assert isinstance(full, StagedConfig)
    changed = replace(
        full,
        channels=tuple(width // 4 for width in full.channels),  # type: ignore[arg-type]
        depths=tuple(-(-depth // 3) for depth in full.depths),  # type: ignore[arg-type]
        decoder_channels=full.decoder_channels // 4,
    )
    return replace(changed, rank=changed.rank // 4) if isinstance(changed, ModelConfig) else changed


def awake(config: NetworkConfig) -> Network:
    """The network with random weights, those included that start at zero."""
    torch.manual_seed(0)
    model = build(config)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def pictures(batch: int, height: int, width: int) -> torch.Tensor:
    values = np.random.Generator(np.random.PCG64(5)).normal(size=(batch, 4, height, width))
    return torch.from_numpy(values.astype(np.float32))


@every_case
def test_odd_sizes(name: str, changes: dict[str, Any]) -> None:
    model = awake(small(name, changes)).eval()
    for height, width in ((37, 53), (1, 1)):
        images = pictures(2, height, width)
        with torch.inference_mode():
            logits = model.decoder(model.encoder(images))
            whole = model(images)
        stride = model.config.logits_stride
        assert logits.shape == (2, 5, -(-height // stride), -(-width // stride))
        assert whole.shape == (2, 5, height, width)
        assert whole.isfinite().all()


@every_case
def test_evaluation_is_deterministic(name: str, changes: dict[str, Any]) -> None:
    model = awake(small(name, changes)).eval()
    images = pictures(2, 45, 60)
    with torch.inference_mode():
        together = model(images)
        assert torch.equal(model(images), together)
        alone = torch.cat([model(image[None]) for image in images])
    # Random weights far from the published network enlarge rounding; that network is held to 1e-5 in test_network.py.
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


@every_case
def test_one_picture_trains_every_parameter(name: str, changes: dict[str, Any]) -> None:
    model = awake(small(name, changes)).train()
    model(pictures(1, 72, 64)).square().mean().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        if parameter.ndim > 1:  # the gradient of a bias before a norm is zero
            assert parameter.grad.any(), parameter_name


@every_case
def test_training_with_bfloat16_autocast(name: str, changes: dict[str, Any]) -> None:
    model = awake(small(name, changes)).train()
    images = pictures(1, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images)
    logits.float().square().mean().backward()
    assert logits.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    with torch.inference_mode():
        exact = model(images)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(images).float()
    assert (rounded - exact).abs().mean() < 0.1 * exact.std()


@every_case
def test_saved_and_loaded(name: str, changes: dict[str, Any], tmp_path: Path) -> None:
    model = awake(small(name, changes)).eval()
    save(small(name, changes), model, tmp_path / "model.safetensors")
    loaded = load_weights(tmp_path / "model.safetensors")
    assert loaded.config == small(name, changes)
    images = pictures(1, 33, 40)
    with torch.inference_mode():
        assert torch.equal(loaded.model()(images), model(images))


@every_case
def test_copies_and_pickles_say_the_same(name: str, changes: dict[str, Any]) -> None:
    model = awake(small(name, changes)).eval()
    images = pictures(1, 33, 40)
    with torch.inference_mode():
        expected = model(images)
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert other.config == model.config
            assert torch.equal(other(images), expected)
            next(other.parameters()).zero_()
        assert torch.equal(model(images), expected), "a copy's weights are its own"


class Segmented(Dataset[torch.Tensor]):
    """Logits that workers find with the network that they were given."""

    def __init__(self, model: Network) -> None:
        self.model = model

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> torch.Tensor:
        with torch.no_grad():
            logits: torch.Tensor = self.model(pictures(2, 33, 40)[[index]])
        return logits[0]


@pytest.mark.long
@every_case
def test_workers_say_the_same(name: str, changes: dict[str, Any]) -> None:
    model = awake(small(name, changes)).eval()
    (found,) = DataLoader(Segmented(model), batch_size=2, num_workers=1, multiprocessing_context="spawn")
    with torch.no_grad():
        torch.testing.assert_close(found, model(pictures(2, 33, 40)), atol=1e-4, rtol=1e-4)


@pytest.mark.long
@every_case
def test_the_exported_program_says_the_same(name: str, changes: dict[str, Any]) -> None:
    model = awake(small(name, changes)).eval()
    images = pictures(1, 64, 96)
    with torch.no_grad():
        program = torch.export.export(model, (torch.zeros_like(images),))
        torch.testing.assert_close(program.module()(images), model(images), atol=1e-4, rtol=1e-4)


def save(config: NetworkConfig, model: Network, path: Path) -> None:
    classes = tuple("abcde")
    labels = Labels("five", classes, tuple((i, i, i) for i in range(5)), 255)
    save_weights(Weights(config, labels, Preprocess(), model.state_dict()), path)


def test_files_from_before_the_ablations_load(tmp_path: Path) -> None:
    config = small("segnext_t", {})
    path = tmp_path / "model.safetensors"
    save(config, awake(config), path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = json.loads(metadata["segnext"])
    for field in fields(Architecture):
        if field.name != "decoder":
            del header["model"][field.name]
    assert len(header["model"]) == 10
    safetensors.torch.save_file(state, path, {**metadata, "segnext": json.dumps(header)})
    assert load_weights(path).config == config
