"""Exported files are weights: predicted with, measured, timed and described as others, or refused in a sentence."""

import dataclasses
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pytest
import torch
from conftest import picture

import segnext
from segnext import plain
from segnext.bench import limits, measure, ways
from segnext.checkpoint.weights import Weights, load_weights
from segnext.cli import main
from segnext.errors import SegNextError
from segnext.export.deployed import Deployed, Interface, metadata
from segnext.export.formats import KINDS
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.inference.testing import Testing
from segnext.model.config import inside, preset

Written = Callable[..., Path]


def write(weights: Weights, folder: Path, to: str, interface: Interface) -> Path:
    """The file, without the gate, which has tests of its own."""
    file = folder / f"{interface.input}.{interface.output}{KINDS[to].suffix}"
    if not file.exists():
        KINDS[to].write(Deployed(weights, interface), file, "fp32", metadata(weights, interface, "fp32"))
    return file


@pytest.fixture(scope="module")
def written(tiny_weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("written")
    return lambda to, *names: write(tiny_weights, folder, to, Interface(*names))


@pytest.fixture
def labels_file(written: Written, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    file = written("openvino", "uint8", "labels")
    for one in (file, file.with_suffix(".bin")):
        shutil.copy(one, tmp_path / one.name)
    return tmp_path / file.name


@pytest.mark.parametrize(
    ("to", "names"),
    [
        ("openvino", ("uint8", "labels")),
        ("openvino", ("float", "confidence")),
        ("openvino", ("uint8", "logits")),
        pytest.param("openvino", ("float", "labels"), marks=pytest.mark.long),
        pytest.param("openvino", ("uint8", "confidence"), marks=pytest.mark.long),
        pytest.param("openvino", ("float", "logits"), marks=pytest.mark.long),
        pytest.param("onnx", ("float", "logits"), marks=pytest.mark.long),
    ],
)
def test_whatever_it_takes_and_gives_its_masks_are_ours(
    to: str, names: tuple[str, str], written: Written, segmenter: Segmenter
) -> None:
    require_ours(written(to, *names), to, names[1], segmenter)


def test_an_onnx_file_that_passed_its_gate_gives_our_masks(onnx_file: Path, segmenter: Segmenter) -> None:
    require_ours(onnx_file, "onnx", "confidence", segmenter)


def require_ours(file: Path, to: str, output: str, segmenter: Segmenter) -> None:
    """What the file gives is what the network gives, for pictures of several sizes."""
    ours = segnext.load(file, precision="fp32")
    assert ours.engine.name == {"onnx": "onnxruntime", "openvino": "openvino"}[to]
    assert (ours.labels, ours.preprocess) == (segmenter.labels, segmenter.preprocess)
    for size in ((64, 96), (77, 131), (5, 3)):
        image = picture(*size)
        expected, found = segmenter(image), ours(image)
        np.testing.assert_array_equal(found.mask, expected.mask)
        if output == "labels":
            assert np.isnan(found.confidence).all()
        else:
            np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-4)
        if output == "logits":
            np.testing.assert_allclose(ours.logits(image), segmenter.logits(image), rtol=1e-4, atol=1e-3)


def test_logits_serve_windows_scales_and_mirrored_looks(written: Written, tiny_weights: Weights) -> None:
    testing = Testing(slide=(64, 32), scales=(0.75, 1.0), flip=True)
    masks = [
        Segmenter(weights, testing=testing)(picture(80, 120)).mask
        for weights in (tiny_weights, load_weights(written("openvino", "uint8", "logits")))
    ]
    assert (masks[0] == masks[1]).mean() > 0.99


def test_pictures_that_are_resized_get_nearly_the_same_masks(tiny_weights: Weights, tmp_path: Path) -> None:
    smaller = dataclasses.replace(tiny_weights.preprocess, short_side=64)
    weights = dataclasses.replace(tiny_weights, preprocess=smaller)
    file = write(weights, tmp_path, "openvino", Interface("uint8", "confidence"))
    image = picture(150, 210)
    ours, theirs = Segmenter(weights)(image), segnext.load(file)(image)
    assert (ours.mask == theirs.mask).mean() > 0.95
    assert theirs.confidence.mean() == pytest.approx(ours.confidence.mean(), abs=0.05)


def test_predict_eval_and_info_take_it(
    labels_file: Path, segmenter: Segmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for kind in ("images", "masks"):
        (data / kind / "val").mkdir(parents=True)
    plain.write_json(segmenter.labels.to_dict(), data / "dataset.yaml")
    image = data / "images" / "val" / "a.png"
    PIL.Image.fromarray(picture(40, 61)).save(image)
    PIL.Image.fromarray(segmenter(image).mask).save(data / "masks" / "val" / "a.png")
    assert main(["predict", str(image), "--weights", str(labels_file), "--out", str(tmp_path / "out")]) == 0
    (line,) = map(json.loads, (tmp_path / "out" / "results.jsonl").read_text().splitlines())
    assert line["ok"]
    assert line["mean_confidence"] is None
    assert main(["info", str(labels_file), "--json", str(tmp_path / "info.json")]) == 0
    text = capsys.readouterr().out
    assert "for openvino, fp32, takes pictures as they are, gives labels" in text
    assert "4: sky, road, tree, car" in text
    assert "by openvino" in text
    about = json.loads((tmp_path / "info.json").read_text())
    assert about["holds"] == "exported network"
    assert about["exported"]["input"] == "uint8"
    file = tmp_path / "eval.json"
    assert main(["eval", "--data", str(data), "--weights", str(labels_file), "--json", str(file)]) == 0
    assert json.loads(file.read_text())["pixel_accuracy"] == 1


class Local:
    """A worker without a process."""

    def __init__(self, name: str, make: Callable[[], object]) -> None:
        self.made = make()

    def call(self, method: str) -> Any:
        return getattr(self.made, method)()

    def peak_rss(self) -> int:
        return 123_000_000

    def close(self) -> None: ...

    def __enter__(self) -> "Local":
        return self

    def __exit__(self, *error: object) -> None: ...


def test_bench_runs_it_by_its_own_engine(
    labels_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "Worker", Local)
    monkeypatch.setattr(ways, "_configure", lambda way: None)
    monkeypatch.setattr(ways, "precisions", lambda engine: ("fp32",))
    monkeypatch.setattr(limits, "SIDE", 32)
    monkeypatch.setattr(limits, "COPIES", (1 << 10,))
    asked = ["bench", "--weights", str(labels_file), "--size", "40x64", "--no-peers", "--rounds", "1"]
    assert main([*asked, "--json", str(tmp_path / "bench.json")]) == 0
    found = json.loads((tmp_path / "bench.json").read_text())
    assert [(way["name"], way["speedup"]) for way in found["ways"]] == [("openvino fp32", 1)]
    assert found["profile"] is None
    assert "first" in capsys.readouterr().out
    assert main([*asked, "--engines", "torch"]) == 2
    assert "is run by openvino; leave --engines out" in capsys.readouterr().err


def test_it_is_pickled_by_its_path(labels_file: Path) -> None:
    ours = segnext.load(labels_file)
    again: Segmenter = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again(picture(40, 50)).mask, ours(picture(40, 50)).mask)


def test_what_labels_cannot_do_is_said(labels_file: Path, tmp_path: Path) -> None:
    wanted = "export the weights again with --output logits"
    for testing in (Testing(slide=(64, 32)), Testing(scales=(1.0, 1.5)), Testing(flip=True)):
        with pytest.raises(SegNextError, match=f"gives labels, but windows.*{wanted}"):
            segnext.load(labels_file, testing=testing)
    ours = segnext.load(labels_file)
    for ask in (ours.logits, ours.probabilities):
        with pytest.raises(SegNextError, match=wanted):
            ask(picture(40, 50))
    pytest.importorskip("rasterio", reason="needs rasterio")
    with pytest.raises(SegNextError, match=f"the tiles of a raster need.*{wanted}"):
        ours.raster("big.tif")


def test_no_engine_but_its_own_runs_it_and_nobody_takes_it_apart(labels_file: Path, tmp_path: Path) -> None:
    for runtime in (Runtime("torch"), Runtime(device="cuda")):
        with pytest.raises(SegNextError, match="is run by openvino on processors; leave --engine and --device out"):
            Segmenter(load_weights(labels_file), runtime)
    with pytest.raises(SegNextError, match="give the weights that it is from"):
        _ = segnext.load(labels_file).model
    for command in (["convert", str(labels_file), str(tmp_path / "a.safetensors")], ["export", str(labels_file)]):
        more = ["--to", "openvino", "--out", str(tmp_path / "b.xml")] if command[0] == "export" else []
        assert main([*command, *more]) == 2


def test_multi_label_weights_serve_by_their_logits(tiny_weights: Weights, tmp_path: Path) -> None:
    labels = dataclasses.replace(tiny_weights.labels, multi_label=True)
    weights = dataclasses.replace(tiny_weights, labels=labels)
    file = write(weights, tmp_path, "openvino", Interface("float", "logits"))
    image = picture(70, 90)
    assert (segnext.load(file)(image).mask == Segmenter(weights)(image).mask).mean() > 0.99


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_cut, "not a readable OpenVINO file"),
        (lambda file: file.with_suffix(".bin").unlink(), "labels.bin is not beside it; copy both files"),
        (lambda file: _cut(file.with_suffix(".bin")), "openvino cannot run it"),
        (lambda file: file.write_text("<net/>"), "not one that 'segnext export' wrote"),
        (lambda file: file.write_text("<!DOCTYPE a><net/>"), "it declares entities"),
        (_replaced("segnext export 1", "segnext export 9"), "not one that 'segnext export' wrote"),
        (_replaced('<output value="labels"', '<output value="logits"'), "does not give what the file says"),
        (_replaced('<input value="uint8"', '<input value="rgb"'), "its header does not fit"),
        (_replaced("<header ", "<other "), "exported by an earlier version"),
        (_replaced("&quot;channels&quot;: [8,", "&quot;channels&quot;: [999999,"), "its header does not fit"),
    ],
)
def test_damaged_and_foreign_files_of_openvino(spoil: Callable[[Path], Any], words: str, labels_file: Path) -> None:
    spoil(labels_file)
    with pytest.raises(SegNextError, match=words):
        segnext.load(labels_file)


def test_a_network_is_held_against_all_of_its_files(tiny_weights: Weights, tmp_path: Path) -> None:
    config = preset("segnext_s", num_classes=4)
    about = metadata(dataclasses.replace(tiny_weights, config=config), Interface(), "fp32")
    root = ElementTree.Element("net")
    told = ElementTree.SubElement(ElementTree.SubElement(root, "rt_info"), "segnext")
    for name, value in about.items():
        ElementTree.SubElement(told, name, value=value if isinstance(value, str) else json.dumps(value))
    file = tmp_path / "s.xml"
    ElementTree.ElementTree(root).write(file)
    file.with_suffix(".bin").write_bytes(bytes(4_000_000))
    assert inside(load_weights(file).config) == config
    file.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(SegNextError, match="its header does not fit"):
        load_weights(file)


def test_damaged_and_foreign_files_of_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    file = tmp_path / "a.onnx"
    for content, words in (
        (b"PK\x03\x04 no network", "not a readable ONNX file"),
        (b"", "not one that 'segnext export' wrote"),
        (_foreign(onnx), "not one that 'segnext export' wrote"),
        (_foreign(onnx, outside="../secret"), "keeps its numbers in other files"),
    ):
        file.write_bytes(content)
        with pytest.raises(SegNextError, match=words):
            segnext.load(file)
    with pytest.raises(SegNextError, match=r"no weights 'b\.onnx'"):
        segnext.load("b.onnx")


def _foreign(onnx: Any, outside: str = "") -> bytes:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    numbers = helper.make_tensor("b", TensorProto.FLOAT, [1], [1.0])
    if outside:
        numbers.data_location = TensorProto.EXTERNAL
        numbers.external_data.add(key="location", value=outside)
    graph = helper.make_graph([helper.make_node("Add", ["x", "b"], ["y"])], "g", [x], [y], [numbers])
    content: bytes = helper.make_model(graph).SerializeToString()
    return content


def test_packages_of_torch_are_described_but_never_opened(
    written: Written, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written("torch", "uint8", "labels")
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(SegNextError, match=r"torch executes what is stored.*--to onnx or --to openvino"):
        segnext.load(file)
    assert main(["info", str(file)]) == 0
    assert "for torch, fp32" in capsys.readouterr().out
    file.write_bytes(b"PK\x03\x04 cut")
    assert main(["info", str(file)]) == 2
    assert "not a readable torch.export file" in capsys.readouterr().err
