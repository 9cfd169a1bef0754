import argparse
import json
from pathlib import Path

import pytest
from PIL import Image
from scenes import write_scenes

from segnext.cli import data_check
from segnext.errors import SegNextError


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    data_check.add_arguments(parser)
    return data_check.run(parser.parse_args(words))


def test_a_clean_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scenes(tmp_path / "data", {"train": 3, "val": 2}, height=96, width=128)
    code = run(str(tmp_path / "data"), "--json", str(tmp_path / "out/found.json"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path / 'data'}: 5 pairs (train 3, val 2)"
    found = json.loads((tmp_path / "out/found.json").read_text())
    assert found["ready"]
    assert found["masks"] == "labels"
    assert found["splits"] == {"train": 3, "val": 2}
    assert found["counts"]["error"] == 0
    assert code == int(found["counts"]["warning"] > 0)
    assert sum(entry["pixels"] for entry in found["classes"]["train"].values()) <= 3 * 96 * 128


def test_errors_are_explained_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    write_scenes(data, {"train": 3}, height=96, width=128)
    mask = next((data / "masks/train").iterdir())
    Image.new("RGB", (128, 96), (200, 0, 0)).save(mask)
    page, picture = tmp_path / "sheet.html", tmp_path / "sheet.png"
    assert run(str(data), "--sheet", str(page)) == 1
    out = capsys.readouterr().out
    assert "error   1 RGB mask of 3" in out
    assert f"-> segnext data import {data} DEST --from" in out
    assert out.splitlines()[-1] == f"sheet: {page}"
    text = page.read_text()
    assert text.count("<figure>") == 3
    assert "1 RGB mask of 3" in text
    assert "http" not in text.split("</head>")[1]
    assert run(str(data), "--sheet", str(picture)) == 1
    with Image.open(picture) as sheet:
        assert sheet.width >= 1000


def test_nothing_to_check_is_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path)) == 2
    assert "no picture with a mask was found" in capsys.readouterr().out


def test_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match="ends in either"):
        run(str(tmp_path), "--sheet", str(tmp_path / "sheet.pdf"))
    with pytest.raises(SegNextError, match="no such folder"):
        run(str(tmp_path / "nowhere"))
