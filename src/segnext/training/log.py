"""A run's log: JSON lines, and TensorBoard beside them."""

import json
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from segnext.files import replacing


class Log:
    """Append to RUN/log.jsonl and RUN/tensorboard, after dropping what a killed run wrote past `step`.

    Records: {"kind": "train", "step", "loss", "lr", "seconds_per_image"} and {"kind": "val", "step", "miou", ...}.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / "log.jsonl"
        if self.path.exists():
            _keep_until(self.path, step)
        self.file = self.path.open("a", encoding="utf-8")
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Write one record; numbers, also those one level down, become TensorBoard scalars."""
        self.file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        self.file.flush()
        for name, value in values.items():
            parts = value.items() if isinstance(value, dict) else [(None, value)]
            for part, number in parts:
                if isinstance(number, int | float):
                    self.board.add_scalar(f"{kind}/{name}" + (f"/{part}" if part else ""), number, step)

    def close(self) -> None:
        """Flush both."""
        self.file.close()
        self.board.close()


def _keep_until(path: Path, step: int) -> None:
    """Drop the records after `step`, and a last line cut short by a kill."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if record["step"] <= step:
            kept.append(line + "\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")
