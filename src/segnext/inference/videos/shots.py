"""Frames through the network: every N-th segmented, smoothed over time if asked for, all in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import count
from operator import add
from typing import Any, NamedTuple, Protocol

from segnext.errors import SegNextError
from segnext.inference.ahead import ahead, threads
from segnext.inference.engines.engine import Engine
from segnext.inference.result import Result
from segnext.inference.videos.source import Frame
from segnext.kernels.average import Look
from segnext.preprocess import Image, Preprocess


class Pipeline(Protocol):
    """What is needed of a segmenter: what the network says of a picture, and the result that follows from that."""

    engine: Engine
    preprocess: Preprocess

    def looks(self, image: Any) -> list[Look]:
        """See `Segmenter.looks`."""
        ...

    def decide(self, image: Any, looks: list[Look], name: str, *, confidence: bool) -> Result:
        """See `Segmenter.decide`."""
        ...


@dataclass(frozen=True)
class Choice:
    """Which frames are segmented.

    Attributes:
        every: the N of every N-th, beginning with the first.
        smooth: frames before and after each of these whose logits are averaged with its own.
        wanted: whether a frame's result is wanted at all.
    """

    every: int = 1
    smooth: int = 0
    wanted: Callable[[int], bool] = lambda number: True

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if self.every < 1 or self.smooth < 0:
            raise SegNextError(
                f"every is {self.every} and smooth {self.smooth}; give whole numbers from 1 and from 0 on"
            )

    def decided(self, number: int) -> bool:
        """Whether there is to be a result for a frame."""
        return number % self.every == 0 and self.wanted(number)

    def looked_at(self, number: int) -> bool:
        """Whether the network is needed for a frame: for itself, or for one that it is a neighbour of."""
        first = max(-(-(number - self.smooth) // self.every), 0) * self.every
        return any(self.wanted(near) for near in range(first, number + self.smooth + 1, self.every))


class Shot(NamedTuple):
    """A frame, its picture and what the network says of it, if it was looked at, and its result, if there is one."""

    frame: Frame
    image: Image | None = None
    looks: list[Look] | None = None
    result: Result | None = None


def shots(
    pipeline: Pipeline, frames: Iterator[Frame], choice: Choice, name: str, *, confidence: bool = False
) -> Iterator[Shot]:
    """All frames in order; those that `choice` decides for have a result, called NAME.NUMBER.

    One thread reads frames ahead, as many as the engine has streams, and one more, run the network. Damaged frames have
    no result.
    """
    streams = pipeline.engine.streams + 1

    def see(frame: Frame) -> Shot:
        if frame.error is not None or not choice.looked_at(frame.number):
            return Shot(frame)
        image = frame.image()
        return Shot(frame, image, pipeline.looks(image))

    def decide(shot: Shot) -> Shot:
        if shot.looks is None or not choice.decided(shot.frame.number):
            return shot._replace(looks=None)
        called = f"{name}.{shot.frame.number:06d}"
        result = pipeline.decide(shot.image, shot.looks, called, confidence=confidence)
        return shot._replace(looks=None, result=result)

    with threads(1, "read") as reading, threads(streams, "look") as working, threads(streams, "decide") as deciding:
        read = iter(ahead(reading, lambda _: next(frames, None), count(), 2 * streams).__next__, None)
        seen = ahead(working, see, (frame for frame in read if frame is not None), streams)
        yield from ahead(deciding, decide, _smoothed(seen, choice.smooth), streams)


def _smoothed(seen: Iterable[Shot], reach: int) -> Iterator[Shot]:
    """Each shot with the mean of its looks and its neighbours', in the order they came; `reach` later."""
    waiting: deque[Shot] = deque()
    past: deque[Shot] = deque()

    def first() -> Shot:
        shot = waiting.popleft()
        number = shot.frame.number
        while past and past[0].frame.number < number - reach:
            past.popleft()
        near = [other for other in (*past, shot, *waiting) if abs(other.frame.number - number) <= reach]
        past.append(shot)
        return shot if shot.looks is None else shot._replace(looks=_mean(shot, near, reach))

    for shot in seen:
        waiting.append(shot)
        while waiting[0].frame.number + reach <= shot.frame.number:
            yield first()
            if not waiting:
                break
    while waiting:
        yield first()


def _mean(shot: Shot, near: list[Shot], reach: int) -> list[Look]:
    """The looks at a frame and at its neighbours of the same size, averaged; the further away, the less they weigh."""
    assert shot.looks is not None
    alike = [other for other in near if other.looks is not None and _fits(other, shot)]
    if len(alike) == 1:
        return shot.looks
    weights = [reach + 1 - abs(other.frame.number - shot.frame.number) for other in alike]
    means = []
    for place, look in enumerate(shot.looks):
        seen = [other.looks[place].logits for other in alike if other.looks is not None]
        parts = [logits * (weight / sum(weights)) for logits, weight in zip(seen, weights, strict=True)]
        means.append(look._replace(logits=reduce(add, parts)))
    return means


def _fits(one: Shot, other: Shot) -> bool:
    return one.image is not None and other.image is not None and one.image.shape == other.image.shape
