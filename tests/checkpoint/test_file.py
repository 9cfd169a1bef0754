"""The weights file: what comes back, and what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import FORMAT, Weights, load_weights, save_weights
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import ModelConfig, preset
from segnext.model.families import build
from segnext.preprocess import Bands, Preprocess

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=2)
LABELS = Labels("toy", ("sky", "Straße"), ((1, 2, 3), (4, 5, 6)), 2)
PREPROCESS = Preprocess((1.5, 2.0, 3.0), (4.0, 5.0, 6.0), short_side=360)
PROVENANCE = Provenance(recipe={"lr": 1e-3, "crop": [32, 32]}, metrics={"miou": None}, more={"later": [1]})


@pytest.fixture(scope="module")
def weights() -> Weights:
    torch.manual_seed(0)
    model = build(TINY)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return Weights(TINY, LABELS, PREPROCESS, model.state_dict(), PROVENANCE)


def header(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_everything_comes_back(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(weights, path)
    loaded = load_weights(path)
    assert loaded.config == TINY
    assert loaded.labels == LABELS
    assert loaded.preprocess == PREPROCESS
    assert loaded.provenance == PROVENANCE
    assert loaded.state.keys() == weights.state.keys()
    for name, tensor in weights.state.items():
        assert loaded.state[name].dtype == tensor.dtype
        assert torch.equal(loaded.state[name], tensor), name
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.safetensors"]


def test_the_bands_come_back(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, in_channels=2)
    bands = Bands(("red", "green", "nir"), ("nir", "red"), nodata=-1.5, dtype="uint16")
    preprocess = Preprocess((1 / 3, 1e5), (0.1, 7.0), 512, bands)
    save_weights(Weights(config, LABELS, preprocess, build(config).state_dict()), tmp_path / "weights.safetensors")
    assert load_weights(tmp_path / "weights.safetensors").preprocess == preprocess


def test_the_model_is_rebuilt_without_another_file(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(weights, path)
    before = torch.get_rng_state()
    model = load_weights(path).model()
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    expected = build(TINY).eval()
    expected.load_state_dict(weights.state)
    image = torch.randn(1, 3, 40, 33)
    assert torch.equal(model(image), expected(image))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_models_do_not_share_memory_with_the_weights(weights: Weights) -> None:
    model = weights.model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7.0)
    assert not any((tensor == 7.0).all() for tensor in weights.state.values() if tensor.ndim)
    model.train()(torch.randn(2, 3, 32, 32)).sum().backward()


def test_half_size(tmp_path: Path) -> None:
    labels = Labels("toy", tuple("abcdefghijk"), ((0, 0, 0),) * 11)
    config = preset("segnext_t", num_classes=11)
    torch.manual_seed(0)
    weights = Weights(config, labels, Preprocess(), build(config).state_dict())
    path = tmp_path / "weights.safetensors"
    save_weights(weights, path, half=True)
    assert path.stat().st_size <= 10_000_000
    assert {(x.ndim == 4, x.dtype) for x in header(path)[1].values()} == {
        (True, torch.float16),
        (False, torch.float32),
        (False, torch.int64),
    }
    loaded = load_weights(path)
    for name, tensor in weights.state.items():
        assert loaded.state[name].dtype == tensor.dtype
        if tensor.ndim == 4:
            torch.testing.assert_close(loaded.state[name], tensor, rtol=2**-11, atol=2**-24)
        else:
            assert torch.equal(loaded.state[name], tensor)


def test_the_same_weights_give_the_same_bytes(weights: Weights, tmp_path: Path) -> None:
    for number in range(8):
        save_weights(weights, tmp_path / f"{number}.safetensors")
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 1


def test_channels_last_weights_and_parameters_are_written(weights: Weights, tmp_path: Path) -> None:
    model = weights.model().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = dict(model.named_parameters()) | dict(model.named_buffers())
    save_weights(dataclasses.replace(weights, state=state), tmp_path / "weights.safetensors")
    loaded = load_weights(tmp_path / "weights.safetensors")
    assert all(torch.equal(loaded.state[name], tensor) for name, tensor in weights.state.items())


def test_missing_and_damaged_files(weights: Weights, tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match=r"gone\.safetensors: no such weights file"):
        load_weights(tmp_path / "gone.safetensors")
    with pytest.raises(SegNextError, match="no such weights file"):
        load_weights(tmp_path)
    path = tmp_path / "weights.safetensors"
    save_weights(weights, path)
    content = path.read_bytes()
    for damaged in (b"", b"not weights at all", content[:100], content[: len(content) // 2], content[:-1], b"\0" * 99):
        path.write_bytes(damaged)
        with pytest.raises(SegNextError, match=r"weights\.safetensors: not a readable safetensors file") as raised:
            load_weights(path)
        assert "\n" not in str(raised.value)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    for metadata in (None, {"format": "pt"}, {"format": "segnext 2"}):
        safetensors.torch.save_file({"x": torch.zeros(1)}, path, metadata)
        with pytest.raises(SegNextError, match=r"foreign\.safetensors: a safetensors file without segnext's header"):
            load_weights(path)


def changed(content: dict[str, Any], **parts: Any) -> str:
    return json.dumps({**content, **parts})


def test_headers_of_another_version(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(weights, path)
    metadata, state = header(path)
    content = json.loads(metadata["segnext"])
    broken = [
        "not json",
        "[]",
        "{}",
        changed(content, model=[1, 2]),
        changed(content, model={"channels": [8, 16, 24, 32]}),
        changed(content, model={**content["model"], "new": 1}),
        changed(content, model={**content["model"], "decoder_channels": 20}),
        changed(content, model={**content["model"], "decoder": "other"}),
        changed(content, model={**content["model"], "depths": "many"}),
        changed(content, preprocess={"mode": "RGB"}),
        changed(content, preprocess=None),
        changed(content, provenance=[]),
        changed(content, provenance={"metrics": 3}),
        changed(content, provenance={"licence": {}}),
    ]
    for text in broken:
        safetensors.torch.save_file(state, path, {"format": FORMAT, "segnext": text})
        with pytest.raises(SegNextError, match=r"weights\.safetensors: its header does not fit this version") as raised:
            load_weights(path).model()
        assert "\n" not in str(raised.value)
    safetensors.torch.save_file(state, path, {"format": FORMAT})
    with pytest.raises(SegNextError, match="its header does not fit this version"):
        load_weights(path)


def test_labels_that_do_not_belong_to_the_network(weights: Weights, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(dataclasses.replace(weights, labels=Labels("toy", ("sky",), ((0, 0, 0),))), path)
    with pytest.raises(SegNextError, match=r"weights\.safetensors: names 1 classes, but its network tells 2 apart"):
        load_weights(path)


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_tensors_that_do_not_fit(weights: Weights, tmp_path: Path, change: str) -> None:
    path = tmp_path / "weights.safetensors"
    state = dict(weights.state)
    if change == "missing":
        del state["decoder.classifier.bias"]
    elif change == "unexpected":
        state["decoder.classifier.bia"] = torch.zeros(1)
    else:
        state["decoder.classifier.bias"] = torch.zeros(3)
    save_weights(dataclasses.replace(weights, state=state), path)
    with pytest.raises(
        SegNextError, match=r"1 (missing|unexpected|of wrong shape) \(.*'decoder\.classifier\.bia"
    ) as raised:
        load_weights(path).model()
    assert str(raised.value).startswith(str(path))
