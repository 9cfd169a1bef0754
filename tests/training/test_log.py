"""The log of a run, also of a killed one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from segnext.training.log import Log, Record, class_series, read_log, series


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


def test_a_step_logged_again_counts_as_last_written(tmp_path: Path) -> None:
    first = {"kind": "train", "step": 10, "loss": 3.0}
    lines = [first, {**first, "step": 20}, {"kind": "note"}, {**first, "loss": 1.5}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"kind": ')
    train, val = read_log(tmp_path / "log.jsonl")
    assert series(train, "loss") == ([10, 20], [1.5, 3.0])
    assert val == []


def test_undefined_values_are_left_out() -> None:
    records: list[Record] = [{"step": 1, "miou": None}, {"step": 2, "miou": float("nan")}, {"step": 3, "miou": 0.5}]
    assert series(records, "miou") == ([3], [0.5])


def test_iou_of_each_class_that_has_any() -> None:
    val: list[Record] = [
        {"step": 1, "iou": {"sky": 0.5, "road": None}},
        {"step": 2},
        {"step": 3, "iou": {"sky": 0.75, "road": None, "car": 0.25}},
    ]
    assert class_series(val) == {"sky": ([1, 3], [0.5, 0.75]), "car": ([3], [0.25])}


def test_pictures_go_to_tensorboard(tmp_path: Path) -> None:
    log = Log(tmp_path, 0)
    log.show("val/example_1", 5, np.full((4, 6, 3), 200, np.uint8))
    log.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"val/example_1" in events.read_bytes()
    assert b"PNG" in events.read_bytes()


def test_lines_that_are_no_records_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'\xff\n{}\n[1]\n3\n{"kind": "train", "step": 1}\n')
    Log(tmp_path, 2).close()
    assert records(tmp_path) == [{"kind": "train", "step": 1}]


def test_a_full_disk_stops_nobody_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path, 0)
    log.write("train", 1, loss=0.5)

    def full(self: EventsWriter, event: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(EventsWriter, "write_event", full)
        for step in range(2, 30):
            with pytest.raises(OSError, match="No space left"):
                log.write("train", step, loss=0.5)
    log.close()
    assert [record["step"] for record in records(tmp_path)] == list(range(1, 30))


def test_what_tensorboard_reads(tmp_path: Path) -> None:
    log = Log(tmp_path, 4)
    log.write("train", 5, loss=0.5, grad_norm=2.0)
    log.write("val", 5, miou=0.25, iou={"sky": 0.25, "road": None})
    log.show("val/example_1", 5, np.zeros((4, 6, 3), np.uint8))
    log.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    found = list(events(file.read_bytes()))
    assert [event.session_log.status for event in found if event.HasField("session_log")] == [SessionLog.START]
    assert {event.step for event in found[1:]} == {5}
    values = {value.tag: value for event in found for value in event.summary.value}
    numbers = {tag: value.simple_value for tag, value in values.items() if value.HasField("simple_value")}
    assert numbers == {"train/loss": 0.5, "train/grad_norm": 2.0, "val/miou": 0.25, "val/iou/sky": 0.25}
    picture = values["val/example_1"].image
    assert (picture.width, picture.height) == (6, 4)


def events(content: bytes) -> Iterator[Any]:
    """The records of an event file: length, its checksum, content, its checksum."""
    while content:
        length = int.from_bytes(content[:8], "little")
        yield Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
