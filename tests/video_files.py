"""Video files for tests."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from conftest import picture

from segnext.preprocess import Image


def drawing(number: int, size: tuple[int, int]) -> Image:
    """Blocks that move to the right."""
    return np.roll(picture(*size, seed=3), 4 * number, axis=1)


def write_video(
    path: Path,
    count: int = 12,
    size: tuple[int, int] = (48, 64),
    *,
    times: Sequence[int] | None = None,
    rotate: int = 0,
    sound: str | None = None,
    codec: str = "libx264",
    draw: Callable[[int, tuple[int, int]], Image] = drawing,
) -> Path:
    """Write `count` frames of `size` (height, width) at 25 per second, or at `times` in milliseconds.

    `sound` is the codec of a track as long as the video; `rotate` the degrees by which players turn it, to the left.
    """
    import av

    tick = Fraction(1, 1000)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options={"g": "6"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if times is not None:
            stream.codec_context.time_base = stream.time_base = tick
        if rotate:
            stream.set_display_rotation(rotate)
        track: Any = out.add_stream(sound, rate=48000, layout="mono") if sound else None
        packets: list[Any] = []
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(draw(number, size), format="rgb24")
            frame.pts, frame.time_base = (number, Fraction(1, 25)) if times is None else (times[number], tick)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        if track is not None:
            tone = (8000 * np.sin(np.arange(count * 1920) / 20)).astype(np.int16)
            piece = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
            piece.sample_rate, piece.pts = 48000, 0
            for resampled in av.AudioResampler("s16" if sound == "pcm_s16le" else "fltp", "mono", 48000, 1024).resample(
                piece
            ):
                packets += track.encode(resampled)
            packets += track.encode(None)
        for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
            out.mux(packet)
    return path
