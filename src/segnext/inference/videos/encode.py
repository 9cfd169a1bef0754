"""Painted frames as segments of H.264, and segments as one MP4 file with the sound of the source."""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.inference.videos.source import Video, called
from segnext.preprocess import Image

CODECS = {"libx264": {"crf": "20", "preset": "veryfast"}, "mpeg4": {"qscale": "3"}}  # the first that is there
THREADS = 2  # whatever the machine: on their number depend the bytes
BT709 = 1  # the matrix, primaries and transfer of high definition, as FFmpeg numbers them
LEAD = Fraction(1, 10)  # seconds of sound that decoders take before the beginning, to start from
COPIED = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")  # kinds of sound that players take from an MP4 file


@dataclass(frozen=True)
class Format:
    """What the segments of a video have in common.

    Attributes:
        size: height and width of the frames.
        tick: seconds of which times are multiples.
        rate: frames per second, on average.
        aspect: width of a pixel by its height.
    """

    size: tuple[int, int]
    tick: Fraction
    rate: Fraction
    aspect: Fraction

    @classmethod
    def of(cls, video: Video, raw: Any) -> "Format":
        """That of a video whose first frame is `raw`."""
        turned = round(raw.rotation / 90) % 2 == 1
        size = (raw.width, raw.height) if turned else (raw.height, raw.width)
        return cls(size, video.tick, video.rate, 1 / video.aspect if turned else video.aspect)


def write_segment(file: Path, images: Iterable[tuple[int, Image]], kind: Format) -> None:
    """Encode pictures of one size, each with its time in ticks; NUT, which keeps them as they are.

    Raises:
        SegNextError: when there is no room.
    """
    with _writing(file) as temporary, av.open(called(temporary), "w", format="nut") as out:
        stream = None
        for pts, image in images:
            image = _even(image)
            stream = _stream(out, kind, image.shape[:2]) if stream is None else stream
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
            frame.pts, frame.time_base = pts, kind.tick
            out.mux(stream.encode(frame))
        if stream is not None:
            out.mux(stream.encode(None))


def _stream(out: Any, kind: Format, size: tuple[int, int]) -> Any:
    name = next(codec for codec in CODECS if codec in av.codecs_available)
    stream = out.add_stream(name, rate=kind.rate, options=dict(CODECS[name]))
    stream.height, stream.width = size
    stream.pix_fmt, stream.time_base = "yuv420p", kind.tick
    context = stream.codec_context
    context.time_base, context.thread_count, context.max_b_frames = kind.tick, THREADS, 0
    context.sample_aspect_ratio = kind.aspect
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = 1
    return stream


def scaled(image: Image, size: tuple[int, int]) -> Image:
    """At the height and width of the video."""
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _even(image: Image) -> Image:
    """With even sides, as H.264 wants them."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.asarray(cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
    return image


def join(file: Path, segments: Iterable[Path], sound: str | Path | None, origin: Fraction, run: str) -> None:
    """One MP4 file of all segments, without encoding them again, and of the sound of a file.

    Args:
        file: to write.
        segments: files that `write_segment` has written, in their order.
        sound: a file or None.
        origin: second of the sound's clock where the video begins.
        run: what the file is to say of the run; see `run_of`.

    Raises:
        SegNextError: when there is no room, or no segment.
    """
    with _writing(file) as temporary, ExitStack() as stack:
        out = stack.enter_context(av.open(called(temporary), "w", format="mp4", options={"movflags": "faststart"}))
        out.metadata["comment"] = run
        pictures = _pictures(segments, out)
        first = next(pictures, None)
        if first is None:
            raise SegNextError(f"{file}: there is no frame to write; name another video")
        tracks = [] if sound is None else [_sound(sound, number, out, origin, stack) for number in range(_count(sound))]
        for packet in heapq.merge([first], pictures, *tracks, key=_when):
            out.mux(packet)


def _when(packet: Any) -> float:
    return float((packet.dts or 0) * packet.time_base)


def _pictures(segments: Iterable[Path], out: Any) -> Iterator[Any]:
    """The packets of all segments."""
    stream = None
    for segment in segments:
        with av.open(called(segment)) as container:
            source = container.streams.video[0]
            if stream is None:
                stream = out.add_stream_from_template(source)
                stream.time_base = source.time_base
            for packet in container.demux(source):
                if packet.size:
                    packet.stream = stream
                    yield packet


def _count(sound: str | Path) -> int:
    with av.open(called(sound)) as container:
        return len(container.streams.audio)


def _sound(file: str | Path, number: int, out: Any, origin: Fraction, stack: ExitStack) -> Iterator[Any]:
    """The packets of one track of sound, as they are where an MP4 file takes that kind, else as AAC."""
    container = stack.enter_context(av.open(called(file)))
    source = container.streams.audio[number]
    copied = source.codec_context.name in COPIED
    stream = out.add_stream_from_template(source) if copied else out.add_stream("aac", rate=source.rate)
    return _copied(container, source, stream, origin) if copied else _encoded(container, source, stream, origin)


def _copied(container: Any, source: Any, stream: Any, origin: Fraction) -> Iterator[Any]:
    shift, before = round(origin / source.time_base), round(LEAD / source.time_base)
    for packet in _until_broken(container.demux(source)):
        if packet.size and None not in (packet.dts, packet.pts) and packet.pts - shift >= -before:
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = stream
            yield packet


def _encoded(container: Any, source: Any, stream: Any, origin: Fraction) -> Iterator[Any]:
    for frame in _until_broken(container.decode(source)):
        if frame.pts is not None and frame.pts * frame.time_base >= origin:
            frame.pts -= round(origin / frame.time_base)
            yield from stream.encode(frame)
    yield from stream.encode(None)


def _until_broken(packets: Iterator[Any]) -> Iterator[Any]:
    """What comes before damage; the sentence about that is the video's."""
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


class Sound:
    """Keeps the sound of a stream, which cannot be read again, in a Matroska file.

    Args:
        file: to write; it is there once there was sound.
        video: whose sound it is.
    """

    def __init__(self, file: Path, video: Video) -> None:
        self.file, self.video = file, video
        self.out: Any = None
        self._tracks: dict[int, Any] = {}

    def __call__(self, packet: Any) -> None:
        """Keep a packet."""
        if self.out is None:
            self.out = av.open(called(self.file), "w", format="matroska")
            for source in self.video.container.streams.audio:
                self._tracks[source.index] = self.out.add_stream_from_template(source)
        if packet.size and None not in (packet.dts, packet.pts):
            shift = round(self.video.origin / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._tracks[packet.stream.index]
            if packet.dts >= 0:
                self.out.mux(packet)

    def close(self) -> None:
        """Close the file."""
        if self.out is not None:
            self.out.close()


def run_of(file: Path) -> str | None:
    """What `join` was told of the run; None of a file that it has not written."""
    try:
        with av.open(called(file), format="mp4") as container:
            return container.metadata.get("comment")
    except (av.error.FFmpegError, OSError, ValueError):
        return None


@contextmanager
def _writing(file: Path) -> Iterator[Path]:
    """See `replacing`; errors become a sentence."""
    try:
        with replacing(file) as temporary:
            try:
                yield temporary
            except av.error.FFmpegError as error:
                raise OSError(error.errno, error.strerror) from error
    except OSError as error:
        raise SegNextError(
            f"{file}: cannot be written ({error.strerror or error}); make room and run the command again: it goes on "
            "from the finished segments"
        ) from error
