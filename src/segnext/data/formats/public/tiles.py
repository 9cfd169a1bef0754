"""Pairs that are parts of pictures, for data sets whose pictures are far larger than a crop."""

from collections.abc import Iterator, Sequence
from itertools import product

from segnext.data.coding import Window
from segnext.data.folder import Pair
from segnext.pillow import open_picture


def tiles(pairs: Sequence[Pair], side: int, stride: int) -> list[Pair]:
    """The square tiles of every pair, row by row; of smaller pictures there is one, of their size.

    Args:
        pairs: whole pictures.
        side: of a tile, in pixels.
        stride: from one to the next; the last of a row or column is moved back so that it ends with the picture.

    Raises:
        SegNextError: when a picture cannot be read.
    """
    found = []
    for pair in pairs:
        with open_picture(pair.image) as file:  # reads the header alone
            width, height = file.size
        for (top, bottom), (left, right) in product(_spans(height, side, stride), _spans(width, side, stride)):
            found.append(Pair(pair.image, pair.mask, pair.coding, Window(top, left, bottom - top, right - left)))
    return found


def _spans(length: int, side: int, stride: int) -> Iterator[tuple[int, int]]:
    """Start and end of the tiles along one axis."""
    start = 0
    while start + side < length:
        yield start, start + side
        start += stride
    yield max(length - side, 0), length
