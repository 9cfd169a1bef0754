"""Runs that start from the weights of a whole network, with the same and with other classes; frozen stages."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from segnext.checkpoint.names import to_official
from segnext.checkpoint.weights import load_weights, save_weights
from segnext.cli import main

Train = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def source(tiny_train: Train, tmp_path: Path) -> Path:
    """Weights of a run, with a licence."""
    assert tiny_train(out=tmp_path / "first", iterations=1, val_split="null") == 0
    weights = load_weights(tmp_path / "first" / "last.safetensors")
    origin = replace(weights.provenance, licence="Apache-2.0", licence_note="Ask the authors.", sha256="abc")
    save_weights(replace(weights, provenance=origin), tmp_path / "source.safetensors")
    return tmp_path / "source.safetensors"


@pytest.fixture
def five_classes(street: Path, tmp_path: Path) -> Path:
    """The data with fewer and other classes."""
    data = shutil.copytree(street, tmp_path / "five")
    for file in (data / "masks").rglob("*.png"):
        from PIL import Image

        Image.open(file).point(lambda label: min(label, 4)).save(file)
    content = yaml.safe_load((data / "dataset.yaml").read_text())
    content["classes"] = [{"name": f"other {i}", "color": [i, i, i]} for i in range(5)]
    (data / "dataset.yaml").write_text(yaml.safe_dump(content))
    return data


def state(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "state.pt", weights_only=True)
    return content


FROZEN = {"optimizer__lr": 0.0, "ema": 0.0, "iterations": 1, "val_split": "null"}


def test_the_same_classes_take_everything(tiny_train: Train, source: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main_with_from(tiny_train, source, out=tmp_path / "run", **FROZEN) == 0
    printed = capsys.readouterr().out
    assert f"network from {source} (our own layout); all of it is taken\n" in printed
    lines = {line[:15].strip(): line[15:].split() for line in printed.splitlines()}
    assert lines["classifier"] == ["2", "-", "-", "-"]
    given, found = load_weights(source).state, state(tmp_path / "run")["model"]
    assert all(
        torch.equal(found[name], given[name])
        for name, _ in given.items()
        if "running" not in name and "num" not in name
    )
    provenance = load_weights(tmp_path / "run" / "last.safetensors").provenance
    assert provenance.licence == "Apache-2.0"
    assert provenance.licence_note == "Ask the authors."
    assert provenance.started_from == {"weights": "source.safetensors", "part": "network", "sha256": "abc"}
    assert provenance.to_dict()["recipe"]["from_weights"] == "source.safetensors"


def test_the_licence_in_the_card_of_what_it_started_from_stays(tiny_train: Train, source: Path, tmp_path: Path) -> None:
    weights = load_weights(source)
    bare = replace(weights.provenance, licence=None, licence_note=None)
    save_weights(replace(weights, provenance=bare), source)
    source.with_suffix(".md").write_text("# Mine\n\n## Licence\n\nFor research\nonly.\n\n## More\n\nNothing.\n")
    assert main_with_from(tiny_train, source, out=tmp_path / "run", **FROZEN) == 0
    found = load_weights(tmp_path / "run" / "last.safetensors").provenance
    assert (found.licence, found.licence_note) == (None, "For research only.")


def main_with_from(tiny_train: Train, source: Path, **changes: Any) -> int:
    """As `segnext train --from SOURCE`."""
    return tiny_train(**{"from": source}, **changes)


def test_other_classes_get_a_new_classifier(
    tiny_train: Train, source: Path, five_classes: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main_with_from(tiny_train, source, data=five_classes, out=tmp_path / "run", **FROZEN) == 0
    printed = capsys.readouterr().out
    assert "it knows other classes (11, the data has 5), so the classifier starts from random weights\n" in printed
    lines = {line[:15].strip(): line[15:].split() for line in printed.splitlines()}
    assert lines["classifier"] == ["-", "2", "-", "-"]
    given, found = load_weights(source).state, state(tmp_path / "run")["model"]
    assert found["decoder.classifier.weight"].shape == (5, 64, 1, 1)
    assert torch.equal(found["decoder.align.conv.weight"], given["decoder.align.conv.weight"])


def test_official_weights_have_no_class_names(tiny_train: Train, source: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "official.pth"
    torch.save({"state_dict": to_official(load_weights(source).state)}, path)
    assert main_with_from(tiny_train, path, out=tmp_path / "run", **FROZEN) == 0
    printed = capsys.readouterr().out
    assert "(the authors' layout); its classes have no names, so the classifier starts from random weights\n" in printed


def test_weights_of_another_network_are_refused(tiny_train: Train, tmp_path: Path, capsys: Capture) -> None:
    assert tiny_train(**{"from": "segnext_t.camvid"}, out=tmp_path / "run") == 2
    assert "these are weights of segnext_t; choose it by --model segnext_t" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_frozen_stages_do_not_change_nor_their_statistics(tiny_train: Train, source: Path, tmp_path: Path) -> None:
    assert main_with_from(tiny_train, source, out=tmp_path / "run", freeze=2, iterations=2, val_split="null") == 0
    given = load_weights(source).state
    for content in (state(tmp_path / "run")["model"], load_weights(tmp_path / "run" / "last.safetensors").state):
        for name, tensor in given.items():
            frozen = name.startswith(("encoder.stages.0.", "encoder.stages.1."))
            if frozen or name != "decoder.hamburger.ham.bases":
                assert torch.equal(content[name], tensor) == frozen, name
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"freeze": 1}, "freeze is 1, but the encoder starts from random weights, which must be trained"),
        ({"from": "a", "encoder_weights": "b"}, "from_weights brings an encoder of its own; leave out encoder_weights"),
        ({"from": "a", "freeze": 5}, "freeze is 5; it is a number of the encoder's stages, from 0 to 4"),
        ({"optimizer.layer_decay": 0.0}, "optimizer.layer_decay is 0.0; it must be above 0 and at most 1"),
        ({"patience": 0}, "patience is 0; it must be at least 1, and needs a val_split"),
    ],
)
def test_settings_that_contradict_each_other(
    tiny_train: Train, capsys: Capture, changes: dict[str, Any], message: str
) -> None:
    assert tiny_train(**changes) == 2
    assert message in capsys.readouterr().err
