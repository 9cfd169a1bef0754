"""A video from its file or stream to a painted video, masks and lines of results."""

import datetime
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import NamedTuple

from segnext.errors import SegNextError
from segnext.files import remove_leftovers, replacing
from segnext.inference.ahead import ahead, threads
from segnext.inference.legend import attached, film_legend
from segnext.inference.outputs import RESULTS, FrameRecord, add_records, open_outputs
from segnext.inference.overlay import paint
from segnext.inference.result import MaskKind, Result
from segnext.inference.segmenter import Segmenter
from segnext.inference.sources import FILM, FRAMES, PLANES, Input
from segnext.inference.unfinished import (
    Share,
    alone,
    begin,
    digest,
    fits,
    folder_for,
    identity,
    joining,
    made_by,
    require_idle,
)
from segnext.inference.videos.each import name_of, require_pictures
from segnext.inference.videos.encode import Sound, join, run_of, scaled, write_segment
from segnext.inference.videos.seen import Seen
from segnext.inference.videos.segments import Segments, length_for
from segnext.inference.videos.shots import Choice, Shot, shots
from segnext.inference.videos.source import Frame, Video
from segnext.interrupt import noted
from segnext.labels import Labels
from segnext.preprocess import Image

SOUND = "sound.mkv"
SOURCE = "source.txt"  # whose parts they are, for when the video or the settings have changed


@dataclass
class VideoSummary:
    """What became of a video.

    Attributes:
        file: the video; of a stream its address, and when it was opened.
        overlay: the painted video; None when other processes still work on it.
        masks: the folder of its masks.
        results: the file with a line for each segmented frame.
        frames: how many it has, those that other processes or runs have done included.
        seconds: of this process.
        before: whether all was there already ("finished"), or other outputs of it were replaced ("replaced").
        problems: sentences about what is wrong with it; all else was done.
    """

    file: str
    overlay: Path | None
    masks: Path
    results: Path
    frames: int = 0
    seconds: float = 0.0
    before: str | None = None
    problems: list[str] = field(default_factory=list)


class Painted(NamedTuple):
    """A frame's picture, painted, its line, and the classes' shares; none where it is not for this process, or lost."""

    frame: Frame
    image: Image | None = None
    record: FrameRecord | None = None
    shares: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Work:
    """What is to be made of a video, and by whom.

    Attributes:
        segmenter: does it.
        video: open.
        file: how it is called in results.
        out: the folder for results.
        name: of its outputs.
        choice: which frames are segmented.
        mask: see `Result.save`.
        segments: where finished ones are kept.
    """

    segmenter: Segmenter
    video: Video
    file: str
    out: Path
    name: str
    choice: Choice
    mask: MaskKind
    segments: Segments

    def paint(self, shot: Shot, held: Result | None) -> Painted:
        """Paint a frame with the result that holds for it, and write its own mask."""
        frame = shot.frame
        if not self.choice.wanted(frame.number):
            return Painted(frame)
        if frame.raw is None:
            return Painted(frame, None, self._record(shot))
        image = frame.image() if shot.image is None else shot.image
        shares: Mapping[str, float] = {}
        if held is not None and held.mask.shape[-2:] == image.shape[:2]:
            image, shares = paint(image, held.mask, self.segmenter.labels), held.shares
        if shot.result is not None:
            shot.result.save_mask(self.out, self._mask_name(frame), self.mask)
        return Painted(frame, image, self._record(shot), shares)

    def _mask_name(self, frame: Frame) -> str:
        return f"{self.name}{FRAMES}/{frame.number:06d}"

    def _record(self, shot: Shot) -> FrameRecord | None:
        frame, result = shot.frame, shot.result
        time = round(float(frame.pts * self.video.tick), 6)
        if frame.error is not None:
            return FrameRecord(self.file, False, f"frame {frame.number}: {frame.error}", frame=frame.number, time=time)
        if result is None:
            return None
        height, width = result.mask.shape[-2:]
        return FrameRecord(
            self.file,
            True,
            None,
            width,
            height,
            result.shares,
            result.mean_confidence,
            None,
            {**result.files(self._mask_name(frame)), "overlay": f"{self.name}{FILM}"},
            frame.number,
            time,
        )


def segment_video(
    segmenter: Segmenter,
    source: str | Path,
    out: Path,
    *,
    every: int = 1,
    smooth: int = 0,
    mask: MaskKind = "palette",
    share: Share = (0, 1),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> VideoSummary:
    """Segment every N-th frame of a video and paint all frames, those between with the last mask, and a legend.

    Writes `NAME.overlay.mp4` with the frames' own times and the sound, `NAME.frames/NUMBER.mask.png` and a line for
    each segmented frame in `results.jsonl`. Finished segments are kept in a hidden folder until all are there: a run
    that was killed goes on from there when it is repeated, and gives the same bytes. A stream is read until it ends, or
    until Ctrl-C.

    Args:
        segmenter: does the work.
        source: a file, a camera (/dev/video0) or an address (rtsp://, https://, ...).
        out: the folder for the outputs, made if it is missing.
        every: the N.
        smooth: frames before and after each segmented one whose logits are averaged with its own.
        mask: see `Result.save`.
        share: which part of a file's segments this process makes, and of how many; whoever finishes the last one
            writes the outputs.
        progress: called with the frames that went by, and how many there are, 0 where that is not known.

    Raises:
        SegNextError: when it cannot be read or holds no frames, the weights do not take pictures, or there is no room.
    """
    started = time.perf_counter()
    require_pictures(segmenter)
    Choice(every, smooth)
    with Video(source) as video:
        if video.live and share != (0, 1):
            raise SegNextError(f"{source}: a stream cannot be shared; leave out --share")
        settings = {
            **made_by(segmenter),
            "video": digest(identity(source)),
            **{"every": every, "smooth": smooth, "mask": mask, "segment": length_for(every), "legend": "classes"},
        }
        file = f"{source}#{datetime.datetime.now().isoformat(timespec='milliseconds')}" if video.live else str(source)
        name, before = _name(segmenter, file, source, out, settings, video.live)
        summary = VideoSummary(file, out / f"{name}{FILM}", out / f"{name}{FRAMES}", out / RESULTS, before=before)
        if before == "finished":
            return summary
        folder = folder_for(out / f"{name}{FILM}")
        begin(folder, settings)
        if not video.live:
            with replacing(folder / SOURCE) as temporary:
                temporary.write_text(_place(source), encoding="utf-8", errors="surrogateescape")
        segments = Segments(folder, length_for(every))
        done = set(segments.numbers())

        def wanted(number: int) -> bool:
            segment = number // segments.length
            return segment not in done and segment % share[1] == share[0]

        work = Work(segmenter, video, file, out, name, Choice(every, smooth, wanted), mask, segments)
        with alone(folder, share):
            seen = _segments(work, progress)
        summary.problems, summary.frames = seen.problems(video), seen.frames
        count = -(-seen.frames // segments.length)
        if not all(segments.done(number) for number in range(count)) or not _join(
            segments, segmenter, out, name, settings, source if not video.live else None, video.origin
        ):
            summary.overlay = None
    summary.seconds = time.perf_counter() - started
    return summary


def _name(
    segmenter: Segmenter, file: str, source: str | Path, out: Path, settings: dict[str, object], live: bool
) -> tuple[str, str | None]:
    """The name of a video's outputs, and what there was of it: "finished", "replaced" or None."""
    for folder in sorted(out.glob(f".*{FILM}.parts")):
        if fits(folder, settings):
            name = folder.name[1:].removesuffix(f"{FILM}.parts")
            if not live:
                return name, None
            _join(Segments(folder, length_for(1)), segmenter, out, name, settings, None, Fraction(0))
    with open_outputs(out, segmenter.labels) as outputs:
        if not live:
            _forget(out, source)
        name = outputs.name(Input(file, name_of(source)))
        if not outputs.again:
            return name, None
        return name, "finished" if run_of(out / f"{name}{FILM}") == digest(settings) else "replaced"


def _forget(out: Path, source: str | Path) -> None:
    """Remove what runs of this video have left that were broken off, with other frames or settings than now.

    Raises:
        SegNextError: when a process still works on one.
    """
    for file in out.glob(f".*{FILM}.parts/{SOURCE}"):
        if file.read_text(encoding="utf-8", errors="surrogateescape") == _place(source):
            require_idle(file.parent)
            shutil.rmtree(file.parent, ignore_errors=True)
            name = file.parent.name[1:].removesuffix(f"{FILM}.parts")
            if not (out / f"{name}{FILM}").exists():
                shutil.rmtree(out / f"{name}{FRAMES}", ignore_errors=True)


def _place(source: str | Path) -> str:
    return os.path.realpath(source)


def _remove_unlisted(masks: Path, records: Iterable[FrameRecord]) -> None:
    """Remove masks of frames that were segmented by a run before, and not by this one."""
    kept = {f"{record.frame:06d}" for record in records if record.ok}
    for path in masks.iterdir():
        number, _, ending = path.name.partition(".")
        if number.isdecimal() and number not in kept and ending in ("mask.png", PLANES[1:]):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _segments(work: Work, progress: Callable[[int, int], None]) -> Seen:
    """Make the segments that are wanted."""
    seen = Seen()
    choice, video, length = work.choice, work.video, work.segments.length
    with _ending(work) as (frames, stop), threads(work.segmenter.engine.streams + 1, "paint") as painting:
        found = shots(work.segmenter, _until(frames, stop), choice, work.name, confidence=True)
        held = _held(found, length)
        painted = ahead(painting, lambda item: work.paint(*item), held, work.segmenter.engine.streams + 1)
        for number, group in groupby(painted, lambda each: each.frame.number // length):
            records: list[FrameRecord] = []
            images = _images(_noting(group, seen, video, progress), records, seen, work.segmenter.labels)
            first = next(images, None)
            if first is not None and seen.kind is not None:
                write_segment(work.segments.picture(number), chain([first], images), seen.kind)
            if choice.wanted(number * length):
                work.segments.finish(number, records)
    return seen


@contextmanager
def _ending(work: Work) -> Iterator[tuple[Iterator[Frame], Event]]:
    """The frames; those of a stream until Ctrl-C, and its sound is kept."""
    video = work.video
    with noted() if video.live else nullcontext(Event()) as stop:
        if not video.live:
            yield video.frames(), stop
            return
        sound = Sound(work.segments.folder / SOUND, video)
        try:
            yield video.frames(sound), stop
        finally:
            sound.close()


def _until(frames: Iterator[Frame], stop: Event) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if stop.is_set():
            return


def _held(found: Iterable[Shot], length: int) -> Iterator[tuple[Shot, Result | None]]:
    """Each shot with the result that holds for it: the last one of its segment, so that these are independent.

    A picture between two would need the second one; the first is what was there before.
    """
    held = None
    for shot in found:
        if shot.frame.number % length == 0:
            held = None
        if shot.result is not None:
            held = shot.result
        yield shot, held


def _noting(
    painted: Iterable[Painted], seen: Seen, video: Video, progress: Callable[[int, int], None]
) -> Iterator[Painted]:
    for each in painted:
        seen.note(each.frame, video)
        progress(seen.frames, video.count)
        yield each


def _images(
    painted: Iterable[Painted], records: list[FrameRecord], seen: Seen, labels: Labels
) -> Iterator[tuple[int, Image]]:
    """The pictures, of the first one's size and each with its legend, and their times; lines go to `records`."""
    for each in painted:
        if each.record is not None:
            records.append(each.record)
        if each.image is not None and seen.kind is not None:
            height, width = seen.kind.size
            strip = film_legend(labels, each.shares, width, height)
            yield each.frame.pts, attached(scaled(each.image, (height, width)), strip)


def _join(
    segments: Segments,
    segmenter: Segmenter,
    out: Path,
    name: str,
    settings: dict[str, object],
    source: str | Path | None,
    origin: Fraction,
) -> bool:
    """The painted video and the lines of results from all segments; False when another process has done it.

    The sound is that of `source`, or what was kept of a stream's.
    """
    with joining(segments.folder) as there:
        if not there:
            return False
        kept = segments.folder / SOUND
        sound, origin = (source, origin) if source is not None else (kept if kept.exists() else None, Fraction(0))
        join(out / f"{name}{FILM}", segments.pictures(), sound, origin, digest(settings))
        first = next(segments.records(), None)
        if first is not None:
            add_records(out, segmenter.labels, first.file, segments.records())
        if (masks := out / f"{name}{FRAMES}").is_dir():
            remove_leftovers(masks)  # of processes that were killed while they wrote one
            _remove_unlisted(masks, segments.records())
        shutil.rmtree(segments.folder, ignore_errors=True)
    return True
