"""`segnext eval` with a stand-in for the network."""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import eval as command
from segnext.errors import SegNextError
from segnext.evaluation import page
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess

LABELS = Labels("toy", ("sky", "road"), ((128, 128, 128), (128, 64, 128)), 255)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two 2 x 2 pictures whose masks are sky above road."""
    folder = tmp_path / "toy"
    for kind in ("images", "masks"):
        (folder / kind / "val").mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("RGB", (2, 2)).save(folder / "images" / "val" / f"{name}.png")
        mask = np.array([[0, 0], [1, 1]], np.uint8)
        Image.fromarray(mask).save(folder / "masks" / "val" / f"{name}.png")
    (folder / "dataset.yaml").write_text(yaml.safe_dump(LABELS.to_dict()))
    return folder


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Replace the loader by one whose network sees sky everywhere; the list records what was asked for."""
    calls: list[tuple[str, str]] = []

    class Sky:
        labels, preprocess = LABELS, Preprocess()

        def __call__(self, path: Path) -> SimpleNamespace:
            with Image.open(path) as image:
                return SimpleNamespace(mask=np.zeros((image.height, image.width), np.uint8))

    def load(args: argparse.Namespace) -> Sky:
        calls.append((args.weights, args.device))
        return Sky()

    monkeypatch.setattr(command, "load_segmenter", load)
    return calls


def segnext_eval(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


def test_prints_a_table_and_writes_nothing_unasked(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], loaded: list[tuple[str, str]]
) -> None:
    assert segnext_eval("--data", data) == 0
    out, err = capsys.readouterr()
    assert "mIoU 25.00 %, pixel accuracy 50.00 %, mean accuracy 50.00 %" in out
    assert "s/image" in out
    assert err == ""
    assert loaded == [("segnext_t.street", "auto")]
    assert list(tmp_path.iterdir()) == [data]


def test_writes_json_and_the_picture_beside_it(data: Path, tmp_path: Path, loaded: list[tuple[str, str]]) -> None:
    file = tmp_path / "new" / "result.json"
    assert segnext_eval("--data", data, "--json", file, "--weights", "RUN", "--device", "cpu") == 0
    content = json.loads(file.read_text())
    expected = {
        "miou": 0.25,
        "pixel_accuracy": 0.5,
        "mean_accuracy": 0.5,
        "mean_precision": 0.5,
        "mean_dice": pytest.approx(1 / 3),
        "iou": {"sky": 0.5, "road": 0.0},
        "accuracy": {"sky": 1.0, "road": 0.0},
        "precision": {"sky": 0.5, "road": None},
        "dice": {"sky": pytest.approx(2 / 3), "road": 0.0},
        "images": 2,
        "pixels": 8,
        "confusion": [[4, 0], [4, 0]],
        "never_predicted": ["road"],
        "mean_precision_of_all": 0.25,
    }
    assert {name: content[name] for name in expected} == expected
    assert content.keys() - expected.keys() == {*("boundary_iou", "boundary_f", "mean_boundary_iou", "mean_boundary_f")}
    assert sorted(path.name for path in file.parent.iterdir()) == ["result.confusion.png", "result.json"]
    assert loaded == [("RUN", "cpu")]


@pytest.mark.usefixtures("loaded")
def test_picture_goes_where_it_is_told(data: Path, tmp_path: Path) -> None:
    picture = tmp_path / "matrix.png"
    assert segnext_eval("--data", data, "--picture", picture) == 0
    with Image.open(picture) as image:
        assert image.format == "PNG"


@pytest.mark.usefixtures("loaded")
def test_other_classes_are_refused(data: Path) -> None:
    labels = Labels("toy", ("sky", "street"), LABELS.colors, 255)
    (data / "dataset.yaml").write_text(yaml.safe_dump(labels.to_dict()))
    with pytest.raises(SegNextError, match="label 1 is 'street', but 'road' for the weights RUN"):
        segnext_eval("--data", data, "--weights", "RUN")


def test_outputs_are_checked_before_the_work(data: Path, tmp_path: Path, loaded: list[tuple[str, str]]) -> None:
    (tmp_path / "file").touch()
    for arguments, message in (
        (("--picture", tmp_path / "matrix.bmp"), r"matrix\.bmp: the picture is a PNG"),
        (("--report", tmp_path / "report.pdf"), r"report\.pdf: the report is a web page"),
        (("--json", tmp_path), "cannot be written; choose another --json"),
        (("--json", tmp_path / "file" / "result.json"), "cannot make its folder"),
    ):
        with pytest.raises(SegNextError, match=message):
            segnext_eval("--data", data, *arguments)
    assert loaded == []


@pytest.mark.usefixtures("loaded")
def test_unknown_split_names_those_there_are(data: Path) -> None:
    with pytest.raises(SegNextError, match="no such split; choose from val"):
        segnext_eval("--data", data, "--split", "test")


def test_a_real_network(data: Path, tmp_path: Path) -> None:
    config = ModelConfig((8, 8, 8, 8), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=2)
    torch.manual_seed(0)
    weights = Weights(config, LABELS, Preprocess(), build(config).state_dict())
    save_weights(weights, tmp_path / "tiny.safetensors")
    file = tmp_path / "result.json"
    assert segnext_eval("--data", data, "--weights", tmp_path / "tiny.safetensors", "--json", file) == 0
    content = json.loads(file.read_text())
    assert content["images"] == 2
    assert content["pixels"] == 8
    assert [sum(row) for row in content["confusion"]] == [4, 4]


FOUR = Labels("four", ("sky", "cloud", "road", "car"), ((128, 128, 128), (128, 64, 128), (0, 0, 9), (9, 0, 0)), 255)


@pytest.mark.parametrize(
    ("stands_for", "said"),
    [
        (
            {"sky": ["sky", "cloud"], "road": ["road", "car", "sky"]},
            "'sky' of the weights is among sky, road; .*: leave it in one of them",
        ),
        ({"tree": "car"}, "'toy' has no class 'tree'"),
    ],
)
def test_classes_that_cannot_be_counted_once(data: Path, tmp_path: Path, stands_for: object, said: str) -> None:
    with pytest.raises(SegNextError, match=said):
        segnext_eval("--data", data, *by_label_map(tmp_path, stands_for))


def test_fewer_classes_than_the_weights_know(data: Path, tmp_path: Path) -> None:
    """A network that sees a cloud everywhere is right where the sky is; what stands for nothing does not count."""
    mask = np.array([[0, 0], [1, 255]], np.uint8)
    Image.fromarray(mask).save(data / "masks" / "val" / "a.png")
    options = by_label_map(tmp_path, {"sky": ["sky", "cloud"], "road": ["road", "car"]})
    out, report = tmp_path / "metrics.json", tmp_path / "report.html"
    assert segnext_eval("--data", data, *options, "--json", out, "--report", report) == 0
    found = json.loads(out.read_text())
    assert found["confusion"] == [[4, 0], [3, 0]]
    assert found["iou"] == {"sky": 4 / 7, "road": 0.0}
    assert "toy" in report.read_text()


def test_classes_that_the_data_has_nothing_for_are_wrong(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network that sees a cloud everywhere, where clouds are neither sky nor road."""
    options = by_label_map(tmp_path, {"sky": "sky", "road": ["road", "car"]})
    out, report = tmp_path / "metrics.json", tmp_path / "report.html"
    assert segnext_eval("--data", data, *options, "--json", out, "--report", report) == 0
    found = json.loads(out.read_text())
    assert found["confusion"] == [[0, 0, 4], [0, 0, 4]]
    assert (found["miou"], found["pixel_accuracy"], found["boundary_iou"]) == (0, 0, {"sky": 0, "road": 0})
    said = capsys.readouterr().out
    assert "none of toy's stands for: cloud; wherever they are predicted is wrong, unless, under 'toy', a line" in said
    assert "predicted as none of these classes, and so wrong: 100.00 % of the pixels" in said
    assert "(none of these)" in report.read_text()
    assert (tmp_path / "metrics.confusion.png").is_file()


def by_label_map(folder: Path, stands_for: object) -> list[str | Path]:
    """Options for weights of four classes that predict the second one everywhere, and for a label map beside them."""
    config = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=4)
    state = {name: torch.zeros_like(tensor) for name, tensor in build(config).state_dict().items()}
    state["decoder.classifier.bias"] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    save_weights(Weights(config, FOUR, Preprocess(), state), folder / "four.safetensors")
    label_map = {"classes": [*FOUR.classes], "data": {"toy": stands_for, "elsewhere": {"sea": "sky"}}}
    (folder / "map.yaml").write_text(yaml.safe_dump(label_map))
    return ["--weights", folder / "four.safetensors", "--engine", "torch", "--label-map", folder / "map.yaml"]


def test_the_report_of_a_run(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, report = tmp_path / "run", tmp_path / "new" / "report.html"
    run.mkdir()
    config = ModelConfig((8, 8, 8, 8), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=2)
    torch.manual_seed(0)
    save_weights(Weights(config, LABELS, Preprocess(), build(config).state_dict()), run / "best.safetensors")
    arguments = ("--data", data, "--weights", run, "--engine", "torch", "--report", report)
    assert segnext_eval(*arguments) == 0
    assert f"report: {report}" in capsys.readouterr().out
    text = report.read_text(encoding="utf-8")
    assert "images/val/b.png" in text
    assert "training loss" not in text
    (run / "log.jsonl").write_text('{"kind": "train", "step": 1, "loss": 2.0}\n')
    assert segnext_eval(*arguments) == 0
    assert "training loss" in report.read_text(encoding="utf-8")


def test_the_table_comes_before_a_page_that_fails(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    config = ModelConfig((8, 8, 8, 8), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=2)
    weights = tmp_path / "weights.safetensors"
    save_weights(Weights(config, LABELS, Preprocess(), build(config).state_dict()), weights)
    monkeypatch.setattr(page, "write_page", full)
    arguments = ("--data", data, "--weights", weights, "--engine", "torch", "--report", tmp_path / "report.html")
    with pytest.raises(OSError, match="No space left on device"):
        segnext_eval(*arguments)
    assert "mIoU" in capsys.readouterr().out
