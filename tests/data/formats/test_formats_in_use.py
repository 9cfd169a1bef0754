"""The commands that read public data sets in place."""

import json
from pathlib import Path

import pytest
import yaml
from public_trees import HEIGHT, cityscapes, isaid, loveda, pascal_context_matrices, picture, values

from segnext.cli import main
from segnext.data.doctor.check import check, quick_check
from segnext.data.formats.public.layout import Layout
from segnext.data.formats.public.open import open_data
from segnext.model.config import PRESETS, ModelConfig

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2))


def test_stats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loveda(tmp_path)
    file = tmp_path / "stats.json"
    assert main(["data", "stats", str(tmp_path), "--format", "loveda", "--split", "train", "--json", str(file)]) == 0
    stats = json.loads(file.read_text())
    assert [entry["pixels"] for entry in stats["classes"]] == [8, 8, 8, 0, 0, 0, 16]
    assert stats["ignored"] == 8
    assert main(["data", "stats", str(tmp_path), "--format", "voc"]) == 2
    assert "is not laid out as Pascal VOC 2012; expected in it: JPEGImages/*.jpg" in capsys.readouterr().err


def test_train_and_eval_on_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    isaid(tmp_path)
    run, file = tmp_path / "run", tmp_path / "metrics.json"
    data = ["--data", str(tmp_path), "--format", "isaid"]
    steps = ["--iterations", "1", "--batch_size", "2", "--crop", "[32, 64]"]
    assert main(["train", *data, "--model", "tiny", "--out", str(run), *steps]) == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["format"] == "isaid"
    assert main(["eval", *data, "--weights", str(run), "--split", "train", "--json", str(file)]) == 0
    metrics = json.loads(file.read_text())
    assert (metrics["images"], metrics["pixels"]) == (2, 2 * 60 * 896)
    assert [i for i, row in enumerate(metrics["confusion"]) if sum(row)] == [0, 1, 14]
    printed = capsys.readouterr().err
    assert f"more about the data: segnext data check {tmp_path} --format isaid\n" in printed
    assert "\nstep 1/1  " in printed


def test_check_reads_the_labels_that_the_masks_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cityscapes(tmp_path)
    file, sheet = tmp_path / "findings.json", tmp_path / "sheet.png"
    command = ["data", "check", str(tmp_path), "--format", "cityscapes", "--json", str(file), "--sheet", str(sheet)]
    main(command)
    content = json.loads(file.read_text())
    assert content["ready"]
    assert content["splits"] == {"train": 1, "val": 1, "train_extra": 1}
    assert content["classes"]["train"]["bicycle"] == {"pixels": HEIGHT, "pictures": 1}
    assert "read in place as cityscapes, 19 classes, ignore label 255" in capsys.readouterr().out
    assert sheet.stat().st_size > 10_000

    values(tmp_path / "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png", 34, 34, 7, 7, 7, 7)
    picture(tmp_path / "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png", (3, 3))
    assert main(command) == 1
    found = {finding["code"]: finding for finding in json.loads(file.read_text())["findings"]}
    [example] = found["unreadable-masks"]["files"]
    assert example.startswith("gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png (holds 34 in 8 pixels")
    assert found["sizes-differ"]["count"] == 1


def test_check_reads_masks_that_are_no_pictures(tmp_path: Path) -> None:
    pascal_context_matrices(tmp_path)
    file, sheet = tmp_path / "findings.json", tmp_path / "sheet.png"
    command = ["data", "check", str(tmp_path), "--format", "pascal_context", "--json", str(file), "--sheet", str(sheet)]
    main(command)
    content = json.loads(file.read_text())
    assert content["classes"]["train"]["wood"] == {"pixels": HEIGHT, "pictures": 1}
    assert not {finding["code"] for finding in content["findings"]} & {"unreadable-masks", "sizes-differ"}
    (tmp_path / "VOC2010/trainval/2008_000003.mat").write_bytes(b"MATLAB")
    assert main(command) == 1
    found = {finding["code"]: finding for finding in json.loads(file.read_text())["findings"]}
    [example] = found["unreadable-masks"]["files"]
    assert example.startswith("VOC2010/trainval/2008_000003.mat (cannot be read as a MATLAB file")


def test_check_takes_tiles_for_the_picture_that_they_are_of(tmp_path: Path) -> None:
    isaid(tmp_path)
    data = open_data(tmp_path, "isaid")
    findings = {finding.code for finding in quick_check(data, ["train", "val"])}
    assert not findings & {"duplicates", "same-in-splits", "unreadable-masks", "sizes-differ"}
    assert isinstance(data, Layout)
    assert len(check(data).case.survey.items) == 2
