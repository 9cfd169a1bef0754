"""Videos and streams: every N-th frame segmented, painted over all frames, and written segment by segment.

Raises:
    SegNextError: on import, when the library for videos is not installed.
"""

from importlib.util import find_spec

from segnext.errors import SegNextError

if find_spec("av") is None:
    raise SegNextError("videos need av; install it with pip install 'segnext[video]'")
