"""A video's results in Python, one after another."""

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

from segnext.errors import SegNextError
from segnext.inference.result import Result
from segnext.inference.videos.shots import Choice, Pipeline, shots
from segnext.inference.videos.source import Video


def results(segmenter: Pipeline, source: str | Path, every: int = 1, smooth: int = 0) -> Iterator[Result]:
    """See `Segmenter.video`."""
    require_pictures(segmenter)
    choice = Choice(every, smooth)
    with Video(source) as video:
        for shot in shots(segmenter, video.frames(), choice, name_of(source)):
            frame = shot.frame
            if shot.result is not None:
                yield dataclasses.replace(shot.result, frame=frame.number, time=float(frame.pts * video.tick))
            elif frame.error is not None and choice.decided(frame.number):
                warnings.warn(f"{source}: frame {frame.number} is left out: {frame.error}", stacklevel=2)
        if video.broken:
            raise SegNextError(f"{source}: {video.broken}")


def name_of(source: str | Path) -> str:
    """The file's name without suffix, or that of what an address leads to."""
    text = str(source).split("://")[-1].split("?")[0].rstrip("/")
    return Path(text).stem or "stream"


def require_pictures(segmenter: Pipeline) -> None:
    """Refuse weights of other bands than RGB.

    Raises:
        SegNextError: saying so.
    """
    if segmenter.preprocess.bands is not None:
        raise SegNextError("these weights take bands of their own, but the frames of a video are pictures, RGB")
