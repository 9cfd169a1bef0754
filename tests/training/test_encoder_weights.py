"""Runs that start from the weights of an encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scenes import write_scenes

from segnext.checkpoint.module import create_model
from segnext.checkpoint.names import to_official
from segnext.checkpoint.weights import load_weights
from segnext.cli import main
from segnext.labels import Labels
from segnext.model.config import preset
from segnext.model.families import build
from segnext.training.config import TrainConfig
from segnext.training.start_weights import start_weights
from segnext.training.state import State

Run = Callable[..., int]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "data"
    write_scenes(folder, {"train": 2, "val": 1}, height=64, width=64)
    return folder


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An official encoder of SegNeXt-T with its ImageNet classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        state = to_official(create_model("segnext_t").state_dict())
    encoder = {name[9:]: tensor for name, tensor in state.items() if name.startswith("backbone.")}
    path = tmp_path_factory.mktemp("official") / "mscan_t.pth"
    torch.save({"state_dict": encoder | {"head.weight": torch.zeros(1000, 256)}}, path)
    return path


@pytest.fixture
def run(data: Path, tmp_path: Path, undrawn: None) -> Run:
    """`segnext train` for two steps with a learning rate of zero, without the pictures at the end."""
    flags = {
        "data": data,
        "out": tmp_path / "run",
        "val_split": "null",
        "iterations": 2,
        "batch_size": 1,
        "crop": "[64,64]",
        "optimizer.lr": 0.0,
        "precision": "fp32",
        "save_every": 1,
    }

    def train(**changes: Any) -> int:
        return main(["train", *(f"--{name}={value}" for name, value in {**flags, **changes}.items())])

    return train


def test_a_run_starts_from_an_official_encoder(
    run: Run, encoder_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(encoder_weights=encoder_file) == 0
    printed = capsys.readouterr().out
    assert "the authors' layout, encoder only); the decoder and its classifier start from random weights" in printed
    lines = {line[:19].strip(): line[19:].split() for line in printed.splitlines()}
    assert lines["encoder stage 4"][1:] == ["-", "-", "-"]
    assert lines["classifier"] == ["-", "2", "-", "-"]
    assert lines["ImageNet classifier"] == ["-", "-", "-", "1"]

    theirs = torch.load(encoder_file, weights_only=True)["state_dict"]
    weights = load_weights(tmp_path / "run" / "last.safetensors")
    ours = {name.removeprefix("backbone."): tensor for name, tensor in to_official(weights.state).items()}
    learned = [
        name for name in theirs if not name.startswith("head.") and "running" not in name and "num_b" not in name
    ]
    assert all(torch.equal(ours[name], theirs[name]) for name in learned)
    assert weights.provenance.to_dict()["recipe"]["encoder_weights"] == "mscan_t.pth"


def test_whole_weights_of_ours_give_their_encoder_and_a_resumed_run_needs_no_file(
    run: Run, encoder_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(out=tmp_path / "first", iterations=1) == 0
    source = tmp_path / "source.safetensors"
    (tmp_path / "first" / "last.safetensors").rename(source)
    capsys.readouterr()
    save, saves = State.save, []

    def killed(self: State, path: Path) -> None:
        save(self, path)
        saves.append(self.step)
        if len(saves) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(State, "save", killed)
    assert run(encoder_weights=source) == 130
    assert "(our own layout); the decoder and its classifier start" in capsys.readouterr().out
    source.unlink()
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    assert saves == [1, 2]
    assert "encoder from" not in capsys.readouterr().out


@pytest.mark.parametrize("change", ["model", "missing", "foreign", "absent"])
def test_anything_less_than_the_encoder_is_refused_before_the_run_begins(
    run: Run, encoder_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    state = torch.load(encoder_file, weights_only=True)["state_dict"]
    if change == "missing":
        del state["block4.1.mlp.fc2.weight"]
    source = tmp_path / "changed.pth"
    torch.save({"conv1.weight": torch.ones(3)} if change == "foreign" else state, source)
    if change == "absent":
        source.unlink()
    assert run(encoder_weights=source, model="segnext_s" if change == "model" else "segnext_t") == 2
    error = capsys.readouterr().err
    expected = {
        "model": "this is the encoder of segnext_t, choose it as the model, or other weights",
        "missing": "1 missing (encoder stage 4; 'encoder.stages.3.blocks.1.ffn.project.weight' first)",
        "foreign": "holds no encoder of a SegNeXt",
        "absent": "no weights",
    }
    assert expected[change] in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_without_encoder_weights_the_start_is_the_same_as_ever(
    data: Path, tmp_path: Path, encoder_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading an encoder leaves torch's random numbers where they were, so the decoder's start does not change."""
    decoders = []
    for encoder_weights in (None, str(encoder_file)):
        config = TrainConfig(data=str(data), out=str(tmp_path), encoder_weights=encoder_weights, device="cpu")
        torch.manual_seed(0)
        labels = Labels("toy", ("a", "b", "c"), ((0, 0, 0),) * 3)
        model = build(preset("segnext_t", num_classes=3))
        start_weights(model, config, labels, loud=False)
        decoders.append((model.decoder.state_dict(), torch.get_rng_state()))
    assert torch.equal(decoders[0][1], decoders[1][1])
    assert all(torch.equal(decoders[0][0][name], tensor) for name, tensor in decoders[1][0].items())
