"""A tiny network, tiny pictures, and `segnext train` on them in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segnext.cli import main
from segnext.data.scenes import write_scenes
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.results import Results

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three pictures and two for val, which nobody changes."""
    folder = tmp_path_factory.mktemp("street") / "data"
    write_scenes(folder, {"train": 3, "val": 2}, height=64, width=96)
    return folder


@pytest.fixture
def tiny_train(street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`segnext train` with a network called tiny for four steps, without pictures at the end; changes by flag."""
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    monkeypatch.setattr(Results, "draw", lambda self: None)
    flags = {
        "data": street,
        "out": tmp_path / "run",
        "model": "tiny",
        "iterations": 4,
        "batch_size": 2,
        "crop": "[64,64]",
        "drop_path": 0.2,
        "precision": "fp32",
        "device": "cpu",
        "log_every": 1,
        "eval_every": 4,
        "save_every": 2,
        "check_data": "false",
    }

    def train(**changes: Any) -> int:
        given = {**flags, **{name.replace("__", "."): value for name, value in changes.items()}}
        return main(["train", *(f"--{name}={value}" for name, value in given.items())])

    return train
