"""Weights files that ask for more than they hold: refused in one sentence, before anything is built."""

import dataclasses
import json
import pickle
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from segnext.checkpoint.bounds import require_bounded
from segnext.checkpoint.pickles import read_pickle
from segnext.checkpoint.tensors import HEADER_BYTES, read_header
from segnext.checkpoint.weights import Weights, description, load_weights, metadata_of
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import PRESETS, ModelConfig, SegFormerConfig
from segnext.model.families import build
from segnext.model.unfilled import unfilled
from segnext.preprocess import Bands, Preprocess

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=2)
MIT = SegFormerConfig((8, 16, 24, 32), (1, 1, 1, 1), (1, 2, 3, 4), decoder_channels=16, num_classes=2)
LABELS = Labels("two", ("a", "b"), ((0, 0, 0), (255, 0, 0)))
STATE = {"x": torch.zeros(16, 64)}  # what is refused by the header is refused whatever the tensors are called
BIG = 4_294_967_296


def write(folder: Path, content: Any, state: dict[str, torch.Tensor] | None = None) -> Path:
    path = folder / "weights.safetensors"
    text = content if isinstance(content, str) else json.dumps(content)
    metadata = {"format": "pt", "kind": "segnext 1", "segnext": text}
    safetensors.torch.save_file(state or {f"x{number}": torch.zeros(40, 40) for number in range(100)}, path, metadata)
    return path


def refused(path: Path) -> str:
    begun = time.perf_counter()
    with pytest.raises(SegNextError) as raised:
        load_weights(path)
    assert time.perf_counter() - begun < 1
    message = str(raised.value)
    assert message.startswith(f"{path}: its header does not fit this version of segnext (")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400
    return message


@pytest.mark.parametrize("config", [TINY, MIT])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("depths", [1, 1, BIG, 1]),
        ("depths", [1, 1, 1, 65536]),
        ("depths", [1, 1, 1, 300]),
        ("depths", [1, 1, 1]),
        ("depths", [1, 1, 1, -1]),
        ("depths", [1, 1, 1, 1.0]),
        ("depths", [[1], 1, 1, 1]),
        ("channels", [8, 16, 24, BIG]),
        ("channels", [8, 16, 24, 1024]),
        ("channels", "8888"),
        ("expansions", [8, 8, 4, 10**400]),
        ("decoder_channels", 1 << 20),
        ("decoder_channels", True),
        ("decoder_channels", None),
        ("num_classes", 10**9),
        ("num_classes", 0),
        ("in_channels", 0),
        ("in_channels", "3"),
        ("drop_path", float("nan")),
        ("dropout", float("inf")),
        ("dropout", 10**400),
        ("decoder", "a" * 70_000),
        ("decoder", ["ham"]),
        ("a" * 70_000, 1),
    ],
)
def test_networks_that_the_file_cannot_hold(config: Any, field: str, value: Any, tmp_path: Path) -> None:
    content = description(Weights(config, LABELS, Preprocess(), STATE))
    load_weights(write(tmp_path, content))  # as it is, it does fit
    content["model"][field] = value
    refused(write(tmp_path, content))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", BIG),
        ("rank", -4),
        ("rank", 2.5),
        ("strips", [BIG + 1]),
        ("strips", [3] * 5000),
        ("strips", ["7"]),
        ("strips", 7),
        ("square", 10**9 + 1),
        ("square", "7"),
        ("inverse_temperature", float("nan")),
        ("inverse_temperature", "100"),
        ("stages", [1, 2, [3]]),
        ("stages", [True]),
        ("stages", {}),
    ],
)
def test_fields_of_a_segnext(field: str, value: Any, tmp_path: Path) -> None:
    content = description(Weights(TINY, LABELS, Preprocess(), STATE))
    content["model"][field] = value
    refused(write(tmp_path, content))


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [1.0, 2.0]},
        {"mean": 1.0},
        {"mean": ["a", "b", "c"]},
        {"std": [1.0, 0.0, 1.0]},
        {"std": [1.0, float("nan"), 1.0]},
        {"std": [1.0, -(10**400), 1.0]},
        {"short_side": 0},
        {"short_side": 10**9},
        {"short_side": 512.5},
        {"bands": {"names": ["r", "g"], "chosen": ["r", "g"]}},
        {"bands": {"names": ["r", "g", "b"], "chosen": ["r", "g", "nir"]}},
        {"bands": {"names": "rgb", "chosen": ["r", "g", "b"]}},
        {"bands": {"names": ["r", "g", "b"], "chosen": ["r", "g", "b"], "nodata": "none"}},
        {"bands": [1]},
    ],
)
def test_pictures_that_cannot_be_prepared(change: dict[str, Any], tmp_path: Path) -> None:
    content = description(Weights(TINY, LABELS, Preprocess(), STATE))
    content["preprocess"] |= change
    refused(write(tmp_path, content))


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, "{", "\0\x01", "null", "1e999", "NaN", '"text"', "9" * 5000),
        '{"model": ' * 60 + "{}" + "}" * 60,
        " " * 5_000_000,
        '{"family": ["segnext"]}',
        '{"family": "own", "model": {"function": "os:system"}}',
    ],
)
def test_texts_that_are_no_header(text: str, tmp_path: Path) -> None:
    refused(write(tmp_path, text))


@pytest.mark.parametrize("provenance", [{"metrics": {"miou": "high"}}, {"metrics": {"miou": 10**400}}, {"step": 1.5}])
def test_origins_that_say_nonsense(provenance: dict[str, Any], tmp_path: Path) -> None:
    refused(write(tmp_path, description(Weights(TINY, LABELS, Preprocess(), STATE)) | {"provenance": provenance}))


def test_tensors_of_no_size_allow_nothing(tmp_path: Path) -> None:
    content = description(Weights(TINY, LABELS, Preprocess(), STATE))
    content["model"]["decoder_channels"] = 1 << 20
    refused(write(tmp_path, content, {f"x{number}": torch.zeros(0, 1 << 40) for number in range(100)}))


def test_headers_of_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes((HEADER_BYTES + 1).to_bytes(8, "little") + b" " * (HEADER_BYTES + 100))
    with pytest.raises(SegNextError, match=r"weights\.safetensors: 16,000,001 bytes are too many for the header"):
        read_header(path)


@pytest.mark.parametrize("name", ["segnext_t", "segnext_l", "segformer_b5", "hrnet_w48", "setr_mla_vit_b"])
def test_published_networks_are_within_the_bounds(name: str) -> None:
    with unfilled():
        shapes = {key: tuple(tensor.shape) for key, tensor in build(PRESETS[name]).state_dict().items()}
    require_bounded(PRESETS[name], Preprocess(), shapes)
    with pytest.raises(ValueError, match="mean and std"):
        require_bounded(PRESETS[name], Preprocess(std=(1.0, 0.0, 1.0)), shapes)


@pytest.mark.parametrize(
    "change", [{"num_classes": 10**400}, {"strips": (7, 2**40 + 1)}, {"decoder_channels": 1 << 62}]
)
def test_numbers_beyond_all_networks(change: dict[str, Any]) -> None:
    with pytest.raises(SegNextError, match="a network's numbers are at most 1,048,576") as raised:
        build(dataclasses.replace(TINY, **change))
    assert len(str(raised.value)) < 200


def test_bands_without_bounds_of_their_own() -> None:
    bands = Bands(("r", "g", "b"), ("r", "g", "b"), nodata=-1.7976931348623157e308)
    shapes = {str(number): (40, 40) for number in range(100)}
    require_bounded(TINY, dataclasses.replace(Preprocess(), bands=bands), shapes)


@pytest.mark.parametrize("legacy", [False, True])
def test_pickles_that_fill_the_memory(legacy: bool, tmp_path: Path) -> None:
    """A number in a pickle of some bytes, of which torch would make as many bytes."""
    path, good = tmp_path / "a.pth", tmp_path / "good.pth"
    bomb = b"\x80\x02cbuiltins\nbytearray\nJ\x00\x00\x00\x7f\x85R."
    if legacy:
        path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + bomb)
    else:
        torch.save({"x": torch.zeros(1)}, good)
        with zipfile.ZipFile(good) as archive, zipfile.ZipFile(path, "w") as target:
            for entry in archive.infolist():
                target.writestr(entry, bomb if entry.filename.endswith(".pkl") else archive.read(entry))
    with pytest.raises(SegNextError, match=r"a\.pth: holds more than tensors and plain data"):
        read_pickle(path)


def test_the_metadata_that_are_written_are_read(tmp_path: Path) -> None:
    model = build(TINY)
    weights = Weights(TINY, LABELS, Preprocess(), model.state_dict())
    safetensors.torch.save_file(model.state_dict(), tmp_path / "w.safetensors", metadata_of(weights))
    assert load_weights(tmp_path / "w.safetensors").config == TINY
