"""A video file, camera or stream: its frames, upright and one after another, and its sound."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import av
import av.logging
import numpy as np

from segnext.errors import SegNextError
from segnext.files import require_regular
from segnext.inference.kinds import CAMERA, is_stream
from segnext.preprocess import Image
from segnext.words import counted

WAIT = (30.0, 10.0)  # seconds for a stream to open, and for its next frame
RATE = Fraction(25)  # frames per second where nothing says otherwise
TIMED = ("matroska,webm", "flv", "asf")  # formats that say at the beginning how long they are, not how many frames
PACKETS = (188, 192, 204)  # bytes of a transport stream's packets, of one kind or another, which are never shorter
MISSING = 1.0  # seconds by which a whole file may be shorter than it says
LOCAL = {"protocol_whitelist": "file"}  # a file that names others, such as a playlist, leads to none on the network

av.logging.set_level(None)  # else the library writes to the terminal
logging.getLogger("libav").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Frame:
    """One frame, or what is wrong with it.

    Attributes:
        number: from 0, in the order in which they are shown; those that cannot be decoded are counted too.
        pts: when it is shown, in ticks of the video from its beginning; they only ever grow.
        raw: as decoded; None where that failed.
        error: a sentence, when it is damaged or could not be decoded.
    """

    number: int
    pts: int
    raw: Any
    error: str | None = None

    def image(self) -> Image:
        """Upright, (H, W, 3) uint8 RGB."""
        pixels = self.raw.to_ndarray(format="rgb24")
        return np.ascontiguousarray(np.rot90(pixels, round(self.raw.rotation / 90)))


class Clock:
    """Times that only ever grow: what has none comes a step later, and what goes back goes on from there."""

    def __init__(self, step: int) -> None:
        self.step, self.last, self.shift = step, -step, 0

    def __call__(self, pts: int | None) -> int:
        """The time of the next frame, in ticks, of which it says `pts`."""
        if pts is None or pts + self.shift <= self.last:
            following = max(self.last + self.step, 0)
            self.shift += 0 if pts is None else following - (pts + self.shift)
            self.last = following
        else:
            self.last = max(pts + self.shift, 0)
        return self.last


class Video:
    """An open video.

    Args:
        name: a path, an address (rtsp://, https://, ...) or a camera (/dev/video0).

    Attributes:
        name: as given.
        live: whether it is a stream, that cannot be read again and may have no end.
        tick: seconds of which times are multiples.
        rate: frames per second, on average.
        count: frames that there are, as far as the file says; else 0.
        aspect: width of a pixel by its height, before the frames are turned upright.
        broken: once all frames were given, a sentence that says why there are no more, if the end came too early.

    Raises:
        SegNextError: when it cannot be opened or holds no pictures.
    """

    def __init__(self, name: str | Path) -> None:
        self.name, self.live = str(name), is_stream(name)
        if not self.live:
            require_regular(name, "a video")
        with reading(self.name):
            self.container = _open(self.name, self.live)
        if not self.container.streams.video:
            kinds = _kinds(self.container)
            self.container.close()
            raise SegNextError(f"{name}: holds no video, only {kinds}; name another file")
        self.stream = self.container.streams.video[0]
        self.tick = Fraction(self.stream.time_base or 1 / RATE)
        self.rate = Fraction(self.stream.average_rate or self.stream.guessed_rate or RATE)
        self.count = self.stream.frames or _estimate(self.container, self.stream, self.rate)
        self.aspect = Fraction(self.stream.sample_aspect_ratio or 1)
        self.origin = Fraction(self.container.start_time or 0, av.time_base)  # where its clock begins
        self.broken: str | None = None
        self._lock = Lock()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock.acquire(timeout=WAIT[1]):  # a thread that still waits for a frame keeps it open
            self.container.close()

    def frames(self, sound: Callable[[Any], None] = lambda packet: None) -> Iterator[Frame]:
        """All frames, in the order in which they are shown; `sound` is given the packets of sound between them.

        Raises:
            SegNextError: when there are none.
        """
        clock = Clock(max(round(1 / (self.rate * self.tick)), 1))
        start = round(self.origin / self.tick)
        number = packets = reached = 0
        end = Fraction(0)
        streams = [self.stream, *self.container.streams.audio]
        demuxed = self.container.demux(streams)
        while True:
            packet = self._next(demuxed, number)
            if packet is None:
                break
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream is not self.stream:
                sound(packet)
                continue
            if packet.size:
                packets, reached = packets + 1, (packet.pos or 0) + packet.size
            for raw in self._decoded(packet):
                error = "it cannot be decoded" if raw is None else "it is damaged" if raw.is_corrupt else None
                pts = clock.last if raw is None else clock(None if raw.pts is None else raw.pts - start)
                yield Frame(number, pts, raw, error)
                number += 1
        if not number:
            raise SegNextError(f"{self.name}: {self.broken or 'holds no frames; name another file'}")
        if packets < self.stream.frames and not self.broken:
            self.broken = f"breaks off after {number} of {self.stream.frames} frames, which were done; copy it again"
        missing = self._length() - float(end - self.origin)
        if missing > MISSING and not self.broken:
            self.broken = (
                f"breaks off after {counted(number, 'frame')}, which were done; {missing:.1f} of {self._length():.1f} "
                "seconds are missing; copy it again"
            )
        if self._is_torn(reached) and not self.broken:
            self.broken = f"breaks off in the midst after {counted(number, 'frame')}, which were done; copy it again"

    def _is_torn(self, reached: int) -> bool:
        """Whether a file ends within a packet of a transport stream, or a Y4M file after the last whole frame's end."""
        if self.live:
            return False
        size, name = Path(self.name).stat().st_size, self.container.format.name
        return all(size % each for each in PACKETS) if name == "mpegts" else name == "yuv4mpegpipe" and reached < size

    def _length(self) -> float:
        """Seconds that a file says at its beginning that it lasts; 0 where it does not, or a stream has no end."""
        if self.live or self.container.format.name not in TIMED:
            return 0.0
        return float(self.container.duration or 0) / av.time_base

    def _next(self, packets: Iterator[Any], frames: int) -> Any:
        """The next packet, None where there are no more; one that follows `frames` frames may be missing."""
        with self._lock:
            try:
                return next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                self.broken = f"breaks off after {counted(frames, 'frame')} ({_reason(error)}), which were done"
                return None

    def _decoded(self, packet: Any) -> list[Any]:
        """The frames that a packet completes; None stands for one that is lost."""
        with self._lock:
            try:
                return list(packet.decode())
            except av.error.FFmpegError:
                return [None]


def called(file: str | Path) -> str:
    """What to call a file in FFmpeg: its whole path, as it takes "a:b.mp4" for an address."""
    return str(Path(file).absolute())


def _open(name: str, live: bool) -> Any:
    if not live:
        return av.open(called(name), options=dict(LOCAL))
    if CAMERA.fullmatch(name):
        if "v4l2" not in av.formats_available:
            raise SegNextError(
                f"{name}: this build of av reads no local cameras (v4l2); build it with pip install --no-binary av av, "
                "or give the address of a stream"
            )
        return av.open(name, format="v4l2", timeout=WAIT)
    options = {"rtsp_transport": "tcp"} if name.lower().startswith("rtsp") else {}
    return av.open(name, options=options, timeout=WAIT)


def _estimate(container: Any, stream: Any, rate: Fraction) -> int:
    """How many frames there may be, by the duration."""
    if stream.duration:
        return int(stream.duration * stream.time_base * rate)
    return int(container.duration / av.time_base * rate) if container.duration else 0


def _kinds(container: Any) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn the library's errors into a sentence."""
    try:
        yield
    except (av.error.FFmpegError, OSError, ValueError) as error:
        where = "check the address and the network" if is_stream(name) else "copy it again or check its kind"
        raise SegNextError(f"{name}: cannot be read as a video ({_reason(error)}); {where}") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
