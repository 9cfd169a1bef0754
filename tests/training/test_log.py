"""The log of a run, also of a killed one."""

import json
from pathlib import Path
from typing import Any

from segnext.training.log import Log


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_records_are_lines_at_once(tmp_path: Path) -> None:
    log = Log(tmp_path, 0)
    log.write("train", 10, loss=0.5, lr=1e-3)
    assert records(tmp_path) == [{"kind": "train", "step": 10, "loss": 0.5, "lr": 1e-3}]
    log.write("val", 10, miou=None, iou={"sky": 0.25, "road": None})
    log.close()
    assert records(tmp_path)[1] == {"kind": "val", "step": 10, "miou": None, "iou": {"sky": 0.25, "road": None}}
    events = list((tmp_path / "tensorboard").iterdir())
    assert len(events) == 1
    content = events[0].read_bytes()
    assert b"train/loss" in content
    assert b"val/iou/sky" in content
    assert b"val/iou/road" not in content


def test_what_a_killed_run_wrote_past_its_checkpoint_is_dropped(tmp_path: Path) -> None:
    lines = [json.dumps({"kind": kind, "step": step}) for step in (2, 4, 6) for kind in ("train", "val")]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + '\n{"kind": "train", "st')
    log = Log(tmp_path, 4)
    log.write("train", 6, loss=1.0)
    log.close()
    found = records(tmp_path)
    assert [(record["kind"], record["step"]) for record in found] == [
        ("train", 2),
        ("val", 2),
        ("train", 4),
        ("val", 4),
        ("train", 6),
    ]
    assert found[-1]["loss"] == 1.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "tensorboard"]


def test_a_last_line_without_its_end_is_completed(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"kind": "train", "step": 2}')
    log = Log(tmp_path, 2)
    log.write("train", 4)
    log.close()
    assert [record["step"] for record in records(tmp_path)] == [2, 4]


def test_an_empty_log_stays_usable(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()
    log = Log(tmp_path, 0)
    log.write("train", 1)
    log.close()
    assert len(records(tmp_path)) == 1
