"""`segnext convert` in every direction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from segnext.checkpoint.weights import load_weights
from segnext.cli import main
from segnext.model.config import ModelConfig

pytest_plugins = ["official_files"]

Save = Callable[[object], Path]


def convert(*arguments: object) -> int:
    return main(["convert", *map(str, arguments)])


def test_whole_models_there_and_back(
    layouts: Any, ours: Any, tiny: ModelConfig, saved: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole.safetensors"
    for layout in ("the authors' layout", "OpenMMLab's layout", "the Intel port's layout"):
        assert convert(saved(layouts[layout]), whole) == 0
        state = load_weights(whole).state
        assert state.keys() == ours.keys()
        assert all(torch.equal(state[name], ours[name]) for name in ours)
    assert "19 classes (cityscapes), rank 4" in capsys.readouterr().out
    assert convert(whole, tmp_path / "back.pth") == 0
    back = torch.load(tmp_path / "back.pth", weights_only=True)["state_dict"]
    authors = layouts["the authors' layout"]
    assert back.keys() == authors.keys()
    assert all(torch.equal(back[name], authors[name]) for name in authors)


def test_encoders_there_and_back(layouts: Any, saved: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authors = layouts["the authors' layout, encoder only"]
    source = saved({"state_dict": layouts["OpenMMLab's layout, encoder only"]})
    assert convert(source, tmp_path / "encoder.safetensors") == 0
    assert "an encoder alone, for --encoder_weights" in capsys.readouterr().out
    assert convert(tmp_path / "encoder.safetensors", tmp_path / "back.pth") == 0
    back = torch.load(tmp_path / "back.pth", weights_only=True)["state_dict"]
    assert back.keys() == authors.keys()
    assert all(torch.equal(back[name], authors[name]) for name in authors)
    assert convert("--half", tmp_path / "encoder.safetensors", tmp_path / "half.safetensors") == 0
    assert (tmp_path / "half.safetensors").stat().st_size < (tmp_path / "encoder.safetensors").stat().st_size


def test_one_line_for_a_wrong_file(
    layouts: Any, tiny: ModelConfig, saved: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = dict(layouts["the authors' layout"])
    del state["decode_head.align.conv.weight"]
    assert convert(saved(state), tmp_path / "out.safetensors") == 2
    assert convert(saved({"layer1.weight": torch.ones(1)}), tmp_path / "out.safetensors") == 2
    assert convert(tmp_path / "absent.pth", tmp_path / "out.safetensors") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "1 missing (decoder; 'decoder.align.conv.weight' first)" in lines[0]
    assert "holds no SegNeXt" in lines[1]
    assert "absent.pth" in lines[2]
    assert not (tmp_path / "out.safetensors").exists()
