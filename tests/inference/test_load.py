"""Names of weights."""

import shutil
from pathlib import Path

import pytest
import torch

from segnext.checkpoint import find as module
from segnext.checkpoint.find import weights_path
from segnext.checkpoint.weights import Weights
from segnext.errors import SegNextError
from segnext.inference.load import load


@pytest.fixture
def packaged(weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(weights_file, folder / "segnext_t.toy.safetensors")
    monkeypatch.setattr(module, "FOLDER", folder)
    monkeypatch.setattr(module, "PACKAGED", ("segnext_t.toy",))
    return folder


def test_listing_matches_the_folder() -> None:
    assert all(weights_path(name).is_file() for name in module.PACKAGED)


def test_packaged_name(packaged: Path, tiny_weights: Weights) -> None:
    assert weights_path("segnext_t.toy") == packaged / "segnext_t.toy.safetensors"
    state = load("segnext_t.toy", "cpu", engine="torch").model.state_dict()
    assert state.keys() == tiny_weights.state.keys()
    assert all(torch.equal(state[name], tiny_weights.state[name]) for name in state)


def test_file_and_folder(weights_file: Path, tmp_path: Path) -> None:
    assert weights_path(weights_file) == weights_path(str(weights_file)) == weights_file
    run = tmp_path / "run"
    run.mkdir()
    for name in ("last", "best", "model"):  # each goes before those already there
        shutil.copy(weights_file, run / f"{name}.safetensors")
        assert weights_path(run) == run / f"{name}.safetensors"
    assert load(run, "cpu", engine="torch").labels.name == "toy"


def test_unknown_names(packaged: Path, tmp_path: Path) -> None:
    for name in ("nowhere", "segnext_t.somewhere", "runs.nowhere/best.safetensors"):
        with pytest.raises(
            SegNextError, match=rf"no weights '{name}'; give a packaged name \(segnext_t\.toy\), a .saf"
        ):
            weights_path(name)
    near = {
        "SEGNEXT_T.TOY": "segnext_t.toy",
        "segnext_b.ade2k": "segnext_b.ade20k",
        "mscan_t": "mscan_t.imagenet",
        "x": None,
    }
    for name, meant in near.items():
        said = f"; did you mean {meant}\\?$" if meant else "; give a packaged name"
        with pytest.raises(SegNextError, match=f"no weights '{name}'{said}"):
            weights_path(name)
    with pytest.raises(SegNextError, match=r"no weights in this folder; one of model\.safetensors"):
        weights_path(tmp_path)


def test_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(SegNextError, match="not a readable safetensors file"):
        load(tmp_path / "bad.safetensors")
