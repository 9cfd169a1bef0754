"""What is finished of a video: segments of painted frames and their lines of results, in a folder until it is whole."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from segnext.files import replacing
from segnext.inference.outputs import FrameRecord

LENGTH = 64  # frames, about; what is lost when a process is killed


@dataclass(frozen=True)
class Segments:
    """The folder. A segment is finished when its lines are there.

    Attributes:
        folder: where it is.
        length: frames in a segment, a multiple of N where every N-th is segmented.
    """

    folder: Path
    length: int

    def picture(self, number: int) -> Path:
        """The file with a segment's frames; there is none where all of them are lost."""
        return self.folder / f"segment-{number:06d}.nut"

    def _lines(self, number: int) -> Path:
        return self.folder / f"segment-{number:06d}.jsonl"

    def done(self, number: int) -> bool:
        """Whether a segment is finished."""
        return self._lines(number).exists()

    def finish(self, number: int, records: list[FrameRecord]) -> None:
        """Keep a segment's lines, after its frames."""
        with replacing(self._lines(number)) as temporary:
            temporary.write_text("".join(json.dumps(asdict(record)) + "\n" for record in records), encoding="utf-8")

    def numbers(self) -> list[int]:
        """The finished segments."""
        return sorted(int(file.stem.split("-")[1]) for file in self.folder.glob("segment-*.jsonl"))

    def pictures(self) -> Iterator[Path]:
        """The files of all finished segments, in order."""
        return (file for number in self.numbers() if (file := self.picture(number)).exists())

    def records(self) -> Iterator[FrameRecord]:
        """All lines, in order."""
        for number in self.numbers():
            for line in self._lines(number).read_text(encoding="utf-8").splitlines():
                yield FrameRecord(**json.loads(line))


def length_for(every: int) -> int:
    """Frames in a segment."""
    return every * max(1, LENGTH // every)
