"""A run's log: JSON lines, and TensorBoard and trackers beside them."""

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.preprocess import Image
from segnext.training.board import Board
from segnext.training.trackers import Tracker

Record = dict[str, Any]  # one line of the log
Series = tuple[list[float], list[float]]  # steps, values


class Log:
    """Append to RUN/log.jsonl, RUN/tensorboard and `trackers`, after dropping what a killed run wrote past `step`.

    Records: {"kind": "train", "step", "loss", "grad_norm", "lr", "seconds_per_image", "waiting"} (the share
    of the time, 0..1, that steps waited for data), and
    {"kind": "val", "step", "miou", "pixel_accuracy", "mean_accuracy", "iou": {class: 0..1 or null},
    "never_predicted": [class that is in the truth]}.
    """

    def __init__(self, folder: Path, step: int, trackers: Sequence[Tracker] = ()) -> None:
        self.path = folder / "log.jsonl"
        if self.path.exists():
            _keep_until(self.path, step)
        self.file = self.path.open("a", encoding="utf-8")
        self.boards: list[Tracker] = [Board(folder / "tensorboard", step + 1), *trackers]

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Write one record; numbers, also those one level down, become TensorBoard scalars."""
        self.file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        self.file.flush()
        for name, value in values.items():
            parts = value.items() if isinstance(value, dict) else [(None, value)]
            for part, number in parts:
                if isinstance(number, int | float):
                    for board in self.boards:
                        board.scalar(f"{kind}/{name}" + (f"/{part}" if part else ""), step, number)

    def show(self, name: str, step: int, picture: Image) -> None:
        """Add a picture, H x W x 3, where there is place for pictures."""
        for board in self.boards:
            board.image(name, step, picture)

    def close(self) -> None:
        """Write what is left of both; what fails here has failed before, when it was added, and was said."""
        with suppress(OSError):
            self.file.close()
        for board in self.boards:
            with suppress(OSError):
                board.close()


def _keep_until(path: Path, step: int) -> None:
    """Drop the records after `step`, and lines that are none, as the last one may be after a kill."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line + "\n" for line in lines if (record := _record(line)) is not None and record["step"] <= step]
    with replacing(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")


def _record(line: str) -> Record | None:
    """What a line of the log says; None for one that is torn or something else."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("step"), int) else None


def read_log(path: Path) -> tuple[list[Record], list[Record]]:
    """Train and val records by step; a step that was logged again counts as last written.

    Lines torn by a crash are left out.

    Raises:
        SegNextError: when the log is missing or has no such line yet.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise SegNextError(f"{path}: cannot read the training log ({error.strerror}); give a run's log") from error
    found: dict[str, dict[int, Record]] = {"train": {}, "val": {}}
    for line in lines:
        record = _record(line)
        if record is not None and record.get("kind") in found:
            found[record["kind"]][record["step"]] = record
    train, val = ([steps[step] for step in sorted(steps)] for steps in found.values())
    if not train and not val:
        raise SegNextError(f"{path}: holds no train or val line yet; draw it again once training has begun")
    return train, val


def series(records: Sequence[Record], key: str) -> Series:
    """Steps and values of the records that have a finite number there."""
    pairs = [(record["step"], record[key]) for record in records if record.get(key) is not None]
    pairs = [(step, value) for step, value in pairs if math.isfinite(value)]
    return [step for step, _ in pairs], [value for _, value in pairs]


def class_series(val: Sequence[Record]) -> dict[str, Series]:
    """Steps and IoU (0..1) of each class that has any."""
    names = dict.fromkeys(name for record in val for name in record.get("iou", {}))
    lines = {
        name: series([{"step": record["step"], name: record.get("iou", {}).get(name)} for record in val], name)
        for name in names
    }
    return {name: line for name, line in lines.items() if line[0]}
