"""OpenCV's decoders, for what Pillow does not read."""

from contextlib import ExitStack
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from segnext.silence import Shared


def _quiet(undo: ExitStack) -> None:
    import cv2

    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    undo.callback(cv2.utils.logging.setLogLevel, before)


quiet_opencv = Shared(_quiet)


def opencv_rgb(file: IO[bytes]) -> NDArray[Any] | None:
    """The picture as OpenCV reads it, (H, W, 3) RGB of any type, or None."""
    import cv2

    file.seek(0)
    bgr = opencv_decode(file.read(), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return None if bgr is None else np.ascontiguousarray(bgr[..., ::-1])


def opencv_decode(content: bytes, flags: int) -> NDArray[Any] | None:
    """What OpenCV makes of an encoded picture, or None; nothing goes to the terminal."""
    import cv2

    with quiet_opencv:
        values = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return None if values is None else np.asarray(values)
