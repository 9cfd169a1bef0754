from pathlib import Path

import pytest
from scenes import write_scenes

from segnext.cli import main


def sequences(root: Path) -> Path:
    """Four sequences of two frames."""
    write_scenes(root, {"train": 8}, height=32, width=48)
    for number in range(8):
        for kind in ("images", "masks"):
            (root / f"{kind}/train/{number:04}.png").rename(
                root / f"{kind}/train/{'abcd'[number // 2]}_{number % 2}.png"
            )
    return root


def names(root: Path, split: str) -> list[str]:
    return sorted(path.name for path in (root / "images" / split).glob("*.png"))


def test_a_dry_run_moves_nothing_and_a_run_does_what_it_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sequences(tmp_path)
    words = ["data", "split", str(root), "--val", "0.25", "--group-by", "prefix"]
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "dry run: 2 pictures would move, nothing was changed" in said
    assert len(names(root, "train")) == 8
    assert main(words) == 0
    assert capsys.readouterr().err == ""
    moved = names(root, "val")
    assert len(moved) == 2
    assert f"val: {moved[0][0]} (2)" in said
    assert [path.name for path in sorted((root / "masks/val").iterdir())] == moved
    assert main(words) == 2
    assert "say --again" in capsys.readouterr().err


def test_a_regular_expression_names_the_groups(tmp_path: Path) -> None:
    root = sequences(tmp_path)
    assert main(["data", "split", str(root), "--val", "0.5", "--group", "^([ab])?", "--seed", "3"]) == 2  # c has none
    assert main(["data", "split", str(root), "--val", "0.5", "--group", "^(.)"]) == 0
    assert len({name[0] for name in names(root, "val")}) == 2


def test_names_like_sequences_are_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = sequences(tmp_path)
    assert main(["data", "split", str(root), "--val", "0.25", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "look like 4 sequences or scenes (such as 'a')" in output
    assert main(["data", "split", str(root)]) == 2
    assert "--val 0.2" in capsys.readouterr().err


def test_an_interrupted_split_is_completed_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = sequences(tmp_path)
    moves = '[["masks/train/a_0.png", "masks/val/a_0.png"], ["images/train/a_0.png", "images/val/a_0.png"]]'
    (root / ".split.json").write_text(moves)
    assert main(["data", "split", str(root), "--val", "0.5"]) == 0
    assert "completed the split of 1 pictures that was interrupted" in capsys.readouterr().out
    assert names(root, "val") == ["a_0.png"]
