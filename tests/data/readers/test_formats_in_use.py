"""The commands that read public data sets in place."""

import json
from pathlib import Path

import pytest
import yaml
from public_trees import isaid, loveda

from segnext.cli import main
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
    assert capsys.readouterr().err.startswith("step 1/1  ")
