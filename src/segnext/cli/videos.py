"""Videos and streams in `segnext predict`."""

import argparse
from typing import TYPE_CHECKING

from segnext.cli.options import positive
from segnext.cli.outputs import complain, show
from segnext.errors import SegNextError
from segnext.inference.kinds import is_video
from segnext.progress import progress
from segnext.words import counted

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter
    from segnext.inference.videos.run import VideoSummary

OPTIONS = ("every", "smooth")


def add_videos(parser: argparse.ArgumentParser) -> None:
    """Declare the options for videos."""
    group = parser.add_argument_group("videos", "files, cameras (/dev/video0) and addresses (rtsp://, https://, ...)")
    group.add_argument("--every", type=positive, metavar="N", help="segment every N-th frame (default: 1)")
    group.add_argument(
        "--smooth", type=int, metavar="N", help="average each frame with N before and N after it (default: 0)"
    )


def videos_among(args: argparse.Namespace) -> list[str]:
    """The paths that are videos or streams.

    Raises:
        SegNextError: when there are options for videos, but no video.
    """
    videos = [path for path in args.paths if is_video(path)]
    given = [f"--{name}" for name in OPTIONS if getattr(args, name) is not None]
    if given and not videos:
        raise SegNextError(f"{given[0]} is for videos, and none of the paths is one")
    return videos


def run_video(args: argparse.Namespace, segmenter: "Segmenter", video: str) -> "VideoSummary | None":
    """Segment one video, say what was found; None when nothing could be done."""
    from segnext.inference.unfinished import own_share
    from segnext.inference.videos.run import segment_video

    try:
        with progress("frames") as watch:
            summary = segment_video(
                segmenter,
                video,
                args.out,
                every=args.every or 1,
                smooth=args.smooth or 0,
                mask=args.mask,
                share=args.share or own_share(),
                progress=lambda done, total: watch("predict", done, total),
            )
    except SegNextError as error:
        complain("predict", str(error))
        return None
    for problem in summary.problems:
        complain("predict", f"{video}: {problem}")
    _print(summary)
    return summary


def _print(summary: "VideoSummary") -> None:
    if summary.before == "finished":
        show(f"{summary.file}  finished already")
    else:
        speed = summary.frames / max(summary.seconds, 1e-9)
        show(f"{summary.file}  {counted(summary.frames, 'frame')}  {summary.seconds:.0f} s  {speed:.1f} frames/s")
    if summary.overlay is None:
        show("this part is done; the process that ends last writes the video")
        return
    show(f"overlay: {summary.overlay}")
    show(f"masks: {summary.masks}")
    show(f"results: {summary.results}")
    if summary.before == "replaced":
        show("it had been done before, in another way: masks and overlay replaced")
