"""For all tests: a cache of their own, a tiny network with random weights, pictures, and trainings of it."""

import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

os.environ.pop(
    "PYTHONUNBUFFERED", None
)  # children write as users' processes do: what cannot be written is noticed late
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded, for children too: tests run side by side

import torch
from scenes import write_scenes

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import main
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels
from segnext.model.config import PRESETS, ModelConfig
from segnext.model.families import build
from segnext.preprocess import Image, Preprocess
from segnext.training.segmentation import Segmentation

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background: children would ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)

LABELS = Labels("toy", ("sky", "road", "tree", "car"), ((10, 20, 250), (100, 60, 100), (0, 130, 0), (200, 0, 0)))
TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)
CONFIG = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=4)


def weights_like(config: ModelConfig = CONFIG, preprocess: Preprocess | None = None) -> Weights:
    """Random weights, the classifier's enlarged so that masks are varied."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = build(config).state_dict()
    state["decoder.classifier.weight"] *= 100
    return Weights(config, LABELS, preprocess or Preprocess(), state)


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is downloaded, converted and compiled goes to a folder of this session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGNEXT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_weights() -> Weights:
    return weights_like()


@pytest.fixture(scope="session")
def weights_file(tiny_weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(tiny_weights, path)
    return path


@pytest.fixture(scope="session")
def onnx_file(tiny_weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is exported, with what lies beside it: takes pictures as they are, gives labels and confidence."""
    from segnext.export.deployed import Interface
    from segnext.export.gate import EACH, SIZES
    from segnext.export.run import export

    file = tmp_path_factory.mktemp("onnx") / "toy.onnx"
    report = export(tiny_weights, "onnx", file, interface=Interface("uint8", "confidence"))
    assert report.passed
    assert len(report.rows) == 2 * len(SIZES)
    assert sum(row.pictures for row in report.rows if row.batch == 1) == EACH * len(SIZES) >= 20
    return file


@pytest.fixture(scope="session")
def segmenter(tiny_weights: Weights) -> Segmenter:
    return Segmenter(tiny_weights, Runtime("torch", "cpu", "fp32"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with three pictures of different sizes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed, name in enumerate(("a", "b", "c")):
        PIL.Image.fromarray(picture(40 + 8 * seed, 61 + seed, seed)).save(folder / f"{name}.png")
    return folder


def encoded(picture: PIL.Image.Image, format: str, **options: Any) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Blocks of random colours, (height, width, 3)."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three pictures and two for val, which nobody changes."""
    folder = tmp_path_factory.mktemp("street") / "data"
    write_scenes(folder, {"train": 3, "val": 2}, height=64, width=96)
    return folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings end without pictures, which take longer than they do."""
    monkeypatch.setattr(Segmentation, "draw", lambda self: None)


@pytest.fixture
def tiny_train(street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Callable[..., int]:
    """`segnext train` with a network called tiny for four steps, without pictures at the end; changes by flag."""
    monkeypatch.setitem(PRESETS, "tiny", TINY)
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
