"""What the frames of a video were like, and what is wrong with it."""

from dataclasses import dataclass, field

from segnext.inference.videos.encode import Format
from segnext.inference.videos.source import Frame, Video
from segnext.words import counted, listed


@dataclass
class Seen:
    """What the frames were like that went by.

    Attributes:
        frames: how many there were.
        damaged: the numbers of damaged ones.
        resized: the numbers of those that are not of the first one's size.
        kind: what follows from the first one for the painted video.
    """

    frames: int = 0
    damaged: list[int] = field(default_factory=list)
    resized: list[int] = field(default_factory=list)
    kind: Format | None = None

    def note(self, frame: Frame, video: Video) -> None:
        """Count a frame."""
        self.frames += 1
        if frame.error is not None:
            self.damaged.append(frame.number)
        if frame.raw is not None:
            kind = Format.of(video, frame.raw)
            self.kind = self.kind or kind
            if kind.size != self.kind.size:
                self.resized.append(frame.number)

    def problems(self, video: Video) -> list[str]:
        """A sentence for each kind of fault."""
        found = []
        if self.damaged:
            found.append(f"{counted(len(self.damaged), 'frame')} damaged and left out: {listed(self.damaged)}")
        if self.resized and self.kind is not None:
            height, width = self.kind.size
            found.append(
                f"{counted(len(self.resized), 'frame')} of another size than the first, from frame {self.resized[0]} "
                f"on; masks have theirs, and in the overlay they are scaled to {width} x {height}"
            )
        return [*found, video.broken] if video.broken else found
