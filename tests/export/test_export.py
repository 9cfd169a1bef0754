"""Exported files say what our network says, or are not there."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from conftest import picture

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import main
from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.export import formats, gate
from segnext.export.deployed import Deployed, Interface, metadata
from segnext.export.formats import KINDS
from segnext.export.gate import SIZES, photograph
from segnext.export.run import export
from segnext.export.stac import item
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter

ROOT = Path(__file__).parents[2]


def test_onnx_says_what_it_is(onnx_file: Path, tiny_weights: Weights) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == list(tiny_weights.labels.classes)
    assert about["weights"] == tiny_weights.digest
    report = json.loads((onnx_file.parent / "toy.onnx.report.json").read_text())
    assert report["passed"] is True
    assert {row["provider"] for row in report["rows"]} == {"CPUExecutionProvider"}
    assert sorted(file.name for file in onnx_file.parent.iterdir()) == [
        "toy.onnx",
        "toy.onnx.report.json",
        "toy.onnx.stac.json",
    ]


def test_a_catalogue_is_told_of_bands_norms_and_classes(onnx_file: Path, tiny_weights: Weights) -> None:
    about = json.loads((onnx_file.parent / "toy.onnx.stac.json").read_text())
    properties = about["properties"]
    assert "https://stac-extensions.github.io/mlm/v1.5.0/schema.json" in about["stac_extensions"]
    assert about["assets"]["model"]["href"] == "./toy.onnx"
    assert properties["mlm:input"][0]["bands"] == ["red", "green", "blue"]
    assert properties["mlm:hyperparameters"]["mean"] == pytest.approx(tiny_weights.preprocess.mean)
    classes = properties["mlm:output"][0]["classification:classes"]
    assert [entry["name"] for entry in classes] == list(tiny_weights.labels.classes)
    assert classes[0]["color_hint"] == "0A14FA"


@pytest.mark.parametrize("to", KINDS)
@pytest.mark.parametrize("interface", [Interface("float", "logits"), Interface("uint8", "confidence")])
def test_the_item_is_what_the_extension_asks_for(to: str, interface: Interface, tiny_weights: Weights) -> None:
    schema = pytest.importorskip("stac_model.schema", reason="needs stac-model")
    about = item(tiny_weights, to, Path("toy.bin"), metadata(tiny_weights, interface, "fp32"), interface)
    named = {key.removeprefix("mlm:"): value for key, value in about["properties"].items()}
    assert schema.MLModelProperties(**named).name == "toy"


def test_the_example_runs(
    onnx_file: Path, segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(77, 131)
    PIL.Image.fromarray(image).save(tmp_path / "in.png")  # of weights without a short side
    arguments = [str(path) for path in (onnx_file, tmp_path / "in.png", tmp_path / "mask.png")]
    monkeypatch.setattr(sys, "argv", ["predict_onnx.py", *arguments])
    runpy.run_path(str(ROOT / "examples" / "predict_onnx.py"), run_name="__main__")
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "mask.png")), segmenter(image).mask)


def test_openvino_with_confidence_and_labelled_pictures(tiny_weights: Weights, tmp_path: Path) -> None:
    pairs = []
    for seed in range(2):
        pair = Pair(tmp_path / f"{seed}.jpg", tmp_path / f"{seed}.png")
        PIL.Image.fromarray(picture(200, 300, seed)).save(pair.image)
        PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 4, (200, 300), np.uint8)).save(pair.mask)
        pairs.append(pair)
    interface = Interface("float", "confidence")
    report = export(tiny_weights, "openvino", tmp_path / "toy.xml", interface=interface, pairs=pairs)
    assert report.passed
    assert [one.pictures for one in report.accuracy] == [len(pairs)]
    assert report.accuracy[0].ours == pytest.approx(report.accuracy[0].theirs, abs=0.1)
    (tmp_path / "toy.bin").stat()
    run = next(KINDS["openvino"].providers(tmp_path / "toy.xml"))[1]
    segmenter = Segmenter(tiny_weights, Runtime("torch", "cpu", "fp32"))
    image = picture(70, 45)
    x = tiny_weights.preprocess.normalise(image).transpose(1, 2, 0)[None]
    labels, confidence = run(np.ascontiguousarray(x))
    result = segmenter(image)
    np.testing.assert_array_equal(labels[0], result.mask)
    np.testing.assert_allclose(confidence[0], result.confidence, atol=1e-4)


@pytest.mark.long
def test_torch_with_logits(tiny_weights: Weights, tmp_path: Path) -> None:
    assert export(tiny_weights, "torch", tmp_path / "labels.pt2").passed
    report = export(tiny_weights, "torch", tmp_path / "toy.pt2", interface=Interface("uint8", "logits"))
    assert report.passed
    about: dict[str, Any] = {"segnext.json": ""}
    torch.export.load(tmp_path / "toy.pt2", extra_files=about)
    assert json.loads(about["segnext.json"])["output"] == "logits"


def test_a_file_with_a_wrong_weight_is_refused(
    weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = KINDS["openvino"]

    def spoil(graph: Deployed, file: Path, *rest: Any) -> None:
        kind.write(graph, file, *rest)
        named = graph.network.named_parameters()
        right = next(value.numpy() for name, value in named if name.endswith("classifier.weight"))
        wrong = right.copy()
        wrong.flat[0] += 1e6
        stored = file.with_suffix(".bin").read_bytes()
        assert stored.count(right.tobytes()) == 1
        file.with_suffix(".bin").write_bytes(stored.replace(right.tobytes(), wrong.tobytes()))

    monkeypatch.setattr(gate, "SIZES", ((64, 96),))  # each size is compiled for
    monkeypatch.setitem(formats.KINDS, "openvino", kind._replace(write=spoil))
    out = tmp_path / "toy.xml"
    assert main(["export", str(weights_file), "--to", "openvino", "--out", str(out)]) == 2
    text, errors = capsys.readouterr()
    assert "of the labels agree  too few" in text
    assert f"{out}: refused" in errors
    assert [file.name for file in tmp_path.iterdir()] == ["toy.xml.report.json"]
    assert json.loads((tmp_path / "toy.xml.report.json").read_text())["passed"] is False


def test_what_cannot_be_exported_is_said(tiny_weights: Weights, tmp_path: Path) -> None:
    for to, name, precision, words in (
        ("onnx", "a.pb", "fp32", r"a\.pb: a file for onnx ends in \.onnx"),
        ("torch", "a.pt2", "fp16", "--to torch is written in fp32 or bf16, not in fp16"),
        ("tflite", "a.tflite", "fp32", "the format is 'tflite'; choose from onnx, openvino, torch"),
    ):
        with pytest.raises(SegNextError, match=words):
            export(tiny_weights, to, tmp_path / name, precision=precision)
    assert not list(tmp_path.iterdir())


def test_multi_label_weights_have_no_labels(tiny_weights: Weights, tmp_path: Path) -> None:
    import dataclasses

    labels = dataclasses.replace(tiny_weights.labels, multi_label=True)
    weights = dataclasses.replace(tiny_weights, labels=labels)
    with pytest.raises(SegNextError, match="--output logits"):
        export(weights, "openvino", tmp_path / "a.xml")


def test_a_missing_package_is_named(tiny_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(
        SegNextError, match=r"needs openvino, which is not installed; run: pip install 'segnext\[fast\]'"
    ):
        export(tiny_weights, "openvino", tmp_path / "a.xml")


def test_the_photograph_is_one() -> None:
    assert photograph().shape[0] >= max(size[0] for size in SIZES)
    assert photograph().std() > 40


def test_weights_are_saved_as_they_were(tiny_weights: Weights, tmp_path: Path) -> None:
    before = tiny_weights.digest
    Deployed(tiny_weights, Interface())
    save_weights(tiny_weights, tmp_path / "again.safetensors")
    assert tiny_weights.digest == before
