"""What an input is, by its name: a video, a stream, or else a picture; what outputs are. Nothing is opened."""

import re
from pathlib import Path
from typing import Literal

from segnext.files import ADDRESS

VIDEOS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".ts", ".mts", ".m2ts"),
        *(".wmv", ".asf", ".flv", ".3gp", ".3g2", ".ogv", ".mxf", ".vob", ".y4m", ".mjpeg", ".mjpg", ".h264", ".hevc"),
    )
)
CAMERA = re.compile(r"/dev/video\d+")
STDIN = "-"  # in place of a picture's path

Format = Literal["png", "npz", "coco", "yolo", "labelme", "geojson"]  # what masks are written as
COCO = "coco.json"  # one file for all pictures


def is_stream(name: str | Path) -> bool:
    """Whether it is an address or a camera: what may never end, and cannot be read a second time."""
    return bool(ADDRESS.match(str(name)) or CAMERA.fullmatch(str(name)))


def is_video(name: str | Path) -> bool:
    """Whether it is a video file or a stream."""
    return is_stream(name) or (Path(name).suffix.lower() in VIDEOS and not Path(name).is_dir())
