"""Runs on files that are read band by band."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from raster_files import write_tiff

from segnext.checkpoint.card import model_card
from segnext.checkpoint.weights import load_weights
from segnext.data import band_stats
from segnext.errors import SegNextError
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.config import TrainConfig
from segnext.training.step import Step
from segnext.training.train import train

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network called tiny."""
    monkeypatch.setitem(PRESETS, "tiny", TINY)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """4-band 16-bit TIFFs, whose fourth band alone tells the classes apart."""
    random = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        (tmp_path / "data/masks" / split).mkdir(parents=True)
        for number in range(count):
            mask = random.integers(0, 2, (2, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
            values = random.normal(8000, 500, (32, 48, 4))
            values[..., 3] += 10_000.0 * mask
            write_tiff(tmp_path / f"data/images/{split}/{number}.tif", values.astype(np.uint16))
            PIL.Image.fromarray(mask).save(tmp_path / f"data/masks/{split}/{number}.png")
    (tmp_path / "data/dataset.yaml").write_text(
        "classes: [{name: bare, color: [90, 60, 30]}, {name: grown, color: [0, 200, 0]}]\n"
        "bands: [red, green, blue, nir]\n"
    )
    return tmp_path / "data"


def run(data: Path, **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "data": str(data),
        "out": str(data.parent / "run"),
        "model": "tiny",
        "iterations": 2,
        "batch_size": 2,
        "crop": (32, 32),
        "precision": "fp32",
        "device": "cpu",
        "val_split": None,
        "save_every": 1,
    }
    return TrainConfig(**{**settings, **changes})


@pytest.mark.usefixtures("undrawn")
def test_the_bands_are_stored_with_the_weights(data: Path) -> None:
    weights = load_weights(train(run(data)) / "last.safetensors")
    assert weights.config.in_channels == 4
    kept = json.loads((data / "bands.json").read_text())
    assert weights.preprocess.mean == tuple(kept["mean"])
    assert weights.preprocess.std == tuple(kept["std"])
    assert weights.preprocess.mean[0] == pytest.approx(8000, rel=0.01)
    bands = weights.preprocess.bands
    assert bands is not None
    assert (bands.names, bands.dtype) == (("red", "green", "blue", "nir"), "uint16")


@pytest.mark.usefixtures("undrawn")
def test_some_bands_of_the_files(data: Path) -> None:
    weights = load_weights(train(run(data, bands=("nir", "red"))) / "last.safetensors")
    assert weights.config.in_channels == 2
    assert weights.state["encoder.stages.0.embed.0.weight"].shape[1] == 2
    assert weights.preprocess.bands is not None
    assert weights.preprocess.bands.positions == [3, 0]
    with pytest.raises(SegNextError, match="choose each once"):
        train(run(data, bands=("swir",), out=str(data.parent / "other")))
    assert not (data.parent / "other").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_resumed_run_keeps_its_statistics(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_weights(train(run(data, iterations=2)) / "last.safetensors")
    part = run(data, out=str(data.parent / "part"), iterations=2)
    step = Step.__call__

    def interrupted(self: Step, parts: Any, number: int) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return step(self, parts, number)

    with monkeypatch.context() as patch:
        patch.setattr(Step, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(part)
    (data / "bands.json").unlink()
    monkeypatch.setattr(band_stats, "moments", None)  # they are not measured again
    resumed = load_weights(train(part, resume=True) / "last.safetensors")
    assert resumed.preprocess == whole.preprocess
    assert all(torch.equal(tensor, whole.state[name]) for name, tensor in resumed.state.items())


def test_a_run_measures_itself_on_val_and_draws_its_examples(data: Path) -> None:
    out = train(run(data, val_split="val", iterations=1, bands=("nir", "red", "green", "blue"))).folder
    weights = load_weights(out / "best.safetensors")
    assert weights.provenance.to_dict()["metrics"]["miou"] is not None
    with PIL.Image.open(out / "examples.png") as picture:
        assert picture.width > 1000
    assert "4 bands (nir, red, green, blue)" in model_card(weights)
