"""Numbers and pictures for TensorBoard."""

import time
from pathlib import Path

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from segnext.preprocess import Image

FLUSH = 30.0  # seconds after which TensorBoard can see what was added


class Board:
    """An event file of TensorBoard in `folder`, which takes the place of what others say from `step` on.

    It is written at once, in the thread that calls: with tensorboardX's own writer, which has a thread and a queue, a
    full disk ends the thread, and the training then waits for a place in the queue for ever.

    Raises:
        OSError: here and when something is added, when the file cannot be written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.events = EventsWriter(str(folder / "events"))
        self.events.write_event(Event(step=step, file_version="brain.Event:2"))
        self.events.write_event(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
        self.flushed = time.monotonic()

    def scalar(self, name: str, step: int, value: float) -> None:
        """Add a number."""
        self._add(summary.scalar(name, value), step)

    def image(self, name: str, step: int, picture: Image) -> None:
        """Add a picture, H x W x 3."""
        self._add(summary.image(name, picture, dataformats="HWC"), step)

    def _add(self, content: object, step: int) -> None:
        self.events.write_event(Event(wall_time=time.time(), step=step, summary=content))
        if time.monotonic() > self.flushed + FLUSH:
            self.events.flush()
            self.flushed = time.monotonic()

    def close(self) -> None:
        """Write what is left."""
        self.events.close()
