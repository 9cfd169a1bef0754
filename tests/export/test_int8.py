"""Eight bits: kept where they cost little and are quick, else refused with the figures that show it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from conftest import picture

import segnext
from segnext import plain
from segnext.checkpoint.weights import Weights
from segnext.cli import main
from segnext.data.folder import Folder, Pair
from segnext.errors import SegNextError
from segnext.export import formats, gate, quantise, run
from segnext.export.deployed import Deployed, Interface, metadata
from segnext.export.formats import KINDS
from segnext.export.gate import DROP, Accuracy, Labelled
from segnext.export.pace import Entrant, Pace, race
from segnext.export.quantise import left
from segnext.export.run import Report, export
from segnext.inference.segmenter import Segmenter


def test_what_decides() -> None:
    assert Accuracy("CPU", 9, 60.0, 60.0 - DROP + 0.01, "int8").passed
    assert Accuracy("CPU", 9, 60.0, 61.0, "int8").passed
    assert not Accuracy("CPU", 9, 60.0, 60.0 - DROP - 0.01, "int8").passed
    assert not Accuracy("CPU", 9, 60.0, 61.0, "fp16").passed
    for seconds, quickest in ((0.9, True), (1.1, False)):
        report = Report({}, [], [], [Pace("in fp32", 2.0), Pace("in bf16", 1.0), Pace("in int8", seconds)])
        assert report.quickest is report.passed is quickest


def test_what_is_missing_is_said(tiny_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for to, words in (("onnx", "eight bits are made for OpenVINO"), ("torch", "eight bits are made for OpenVINO")):
        with pytest.raises(SegNextError, match=words):
            export(tiny_weights, to, tmp_path / f"a{KINDS[to].suffix}", precision="int8")
    with pytest.raises(SegNextError, match="in fp32, fp16 or int8, not in bf16: it is how OpenVINO computes"):
        export(tiny_weights, "openvino", tmp_path / "a.xml", precision="bf16")
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "nncf" else name)
    with pytest.raises(SegNextError, match=r"needs nncf, which is not installed; run: pip install 'segnext\[int8\]'"):
        export(tiny_weights, "openvino", tmp_path / "a.xml", precision="int8")
    monkeypatch.setattr(formats, "find_spec", lambda name: name)
    with pytest.raises(SegNextError, match="int8 needs --data DIR"):
        export(tiny_weights, "openvino", tmp_path / "a.xml", precision="int8")
    assert not list(tmp_path.iterdir())


def test_files_run_side_by_side(tiny_weights: Weights, tmp_path: Path) -> None:
    file = written(tiny_weights, tmp_path / "a.xml")
    floating, layers = left(file)
    assert floating == layers > 20
    found = race({name: Entrant(file, "fp32") for name in ("one", "other")}, picture(64, 64)[None])
    assert [one.name for one in found] == ["one", "other"]
    assert all(one.seconds > 0 for one in found)


@pytest.fixture
def data(segmenter: Segmenter, tmp_path: Path) -> Path:
    """Pictures with the masks that our network gives them, whose mIoU is 100 %."""
    folder = tmp_path / "data"
    for number, split in enumerate(("train", "train", "val", "val")):
        for kind in ("images", "masks"):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
        image = picture(200, 330, number)
        PIL.Image.fromarray(image).save(folder / "images" / split / f"{number}.png")
        PIL.Image.fromarray(segmenter(image).mask).save(folder / "masks" / split / f"{number}.png")
    plain.write_json(segmenter.labels.to_dict(), folder / "dataset.yaml")
    return folder


def written(weights: Weights, file: Path) -> Path:
    """The network for OpenVINO in float32, without the gate."""
    interface = Interface()
    KINDS["openvino"].write(Deployed(weights, interface), file, "fp32", metadata(weights, interface, "fp32"))
    return file


def test_kept_or_refused(
    data: Path,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a network that is quantised by copying it, and figures of speed that are made up."""
    quick = {"in int8": 1.0}

    def copied(file: Path, out: Path, train: Sequence[Pair], val: Labelled) -> None:
        assert len(train) == len(val.pairs) == 2
        for suffix in (".xml", ".bin"):
            shutil.copy(file.with_suffix(suffix), out.with_suffix(suffix))

    def raced(entrants: Mapping[str, Entrant], x: Any) -> list[Pace]:
        assert x.shape == (1, 200, 330, 3)
        return [Pace(name, quick.get(name, 2.0)) for name in entrants]

    monkeypatch.setattr(gate, "SIZES", ((64, 96),))  # each size is compiled for
    monkeypatch.setattr(run, "quantise", copied)
    monkeypatch.setattr(run, "race", raced)
    monkeypatch.setattr(formats, "find_spec", lambda name: name)
    out, figures = tmp_path / "out" / "toy.xml", tmp_path / "out" / "figures.json"
    asked = ["export", str(weights_file), "--to", "openvino", "--precision", "int8", "--data", str(data)]
    assert main([*asked, "--out", str(out), "--json", str(figures)]) == 0
    found = json.loads(figures.read_text())
    floating, layers = found["left"]
    assert floating == layers
    assert found["accuracy"][0]["ours"] == found["accuracy"][0]["theirs"] == pytest.approx(100)
    assert f"{layers} of {layers} convolutions and matrix products" in capsys.readouterr().out
    for file in out.parent.iterdir():
        file.unlink()

    quick["in int8"] = 3.0
    assert main([*asked, "--out", str(out)]) == 2
    text, errors = capsys.readouterr()
    assert "in int8  3000.0 ms" in text
    assert "refused, eight bits are not quicker here" in errors
    assert [file.name for file in out.parent.iterdir()] == ["toy.xml.report.json"]


@pytest.mark.long
def test_nncf_quantises(
    data: Path, tiny_weights: Weights, segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf", reason="needs nncf")
    monkeypatch.setattr(quantise, "DROP", 100.0)
    folder = Folder.open(data)
    labelled = Labelled(folder.pairs("val"), segmenter, tiny_weights.preprocess, Interface())
    quantise.quantise(written(tiny_weights, tmp_path / "wide.xml"), tmp_path / "a.xml", folder.pairs("train"), labelled)
    floating, layers = left(tmp_path / "a.xml")
    assert 0 <= floating < layers
    ours = segnext.load(tmp_path / "a.xml")
    assert ours.engine.precision.startswith("int8 in ")
    image = picture(200, 330, 2)
    assert len(set(segmenter(image).mask.flat)) > 1
    assert (ours(image).mask == segmenter(image).mask).mean() > 0.8
