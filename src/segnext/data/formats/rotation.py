"""What a picture's file says of its size and rotation, and how a mask comes to lie on it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segnext.bands import picture_size
from segnext.data.masks import Mask, PairError
from segnext.errors import SegNextError
from segnext.pillow import open_picture, orientation_of, upright

TURNED = "masks turned as the EXIF data turn their pictures"
RESIZED = "masks resized to their pictures by nearest neighbour"
_UNTRANSPOSED = (1, 2, 3, 4)  # orientations that keep width and height


@dataclass(frozen=True)
class Extent:
    """Height and width of a picture as people see it, and the EXIF orientation (1 to 8) of what is stored."""

    height: int
    width: int
    orientation: int

    @property
    def stored(self) -> tuple[int, int]:
        """Height and width of what is stored."""
        seen = (self.height, self.width)
        return seen if self.orientation in _UNTRANSPOSED else seen[::-1]


def extent_of(picture: Path | bytes) -> Extent:
    """Decode a picture, so that a damaged one is noticed, and tell its extent.

    Raises:
        PairError: when it cannot be read.
    """
    try:
        height, width = picture_size(picture)
    except SegNextError as error:
        raise PairError("unreadable picture", str(error)) from error
    try:
        with open_picture(picture, "the picture") as file:
            return Extent(height, width, orientation_of(file))
    except SegNextError:  # a raster that Pillow does not know
        return Extent(height, width, 1)


def laid_on(mask: Mask, picture: Extent, drawn_on: str, resize: bool = False) -> tuple[Mask, tuple[str, ...]]:
    """The mask as it lies on the upright picture, and notes of what had to be done for that.

    Args:
        mask: H x W.
        picture: the picture's extent.
        drawn_on: "upright" or "stored" where the size does not tell, or "auto" to refuse such masks.
        resize: whether masks of another size but the same shape are resized by nearest neighbour.

    Raises:
        PairError: when sizes differ, or when the size does not tell what the mask was drawn on, and `drawn_on` neither.
    """
    seen, stored = (picture.height, picture.width), picture.stored
    notes: tuple[str, ...] = ()
    if resize and mask.shape not in (seen, stored):
        fitting = [size for size in dict.fromkeys((seen, stored)) if is_alike(mask.shape, size)]
        if fitting:
            mask, notes = _resized(mask, fitting[0]), (RESIZED,)
    unclear = picture.orientation != 1 and seen == stored
    if unclear and mask.shape == seen and drawn_on == "auto":
        raise PairError(
            "rotation unclear",
            f"the picture has EXIF orientation {picture.orientation}, and the mask's size does not tell whether it "
            "was drawn on the picture as seen or as stored; say --exif upright or --exif stored",
        )
    if mask.shape == stored and (mask.shape != seen or (unclear and drawn_on == "stored")):
        return np.ascontiguousarray(upright(mask, picture.orientation)), (*notes, TURNED)
    require_size((mask.shape[0], mask.shape[1]), picture)
    return mask, notes


def is_alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two heights and widths have one shape, but for what rounding to whole pixels and 2 % allow."""
    slack = 0.02 * one[0] * other[1] + max(*one, *other)
    return abs(one[0] * other[1] - one[1] * other[0]) <= slack


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at another height and width, each pixel the label of the nearest one."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(size, mask.shape, strict=True)
    )
    return np.ascontiguousarray(mask[rows][:, columns])


def require_size(size: tuple[int, int], picture: Extent) -> None:
    """Refuse a mask of another height and width than the picture's, upright or as stored.

    Raises:
        PairError: when it has.
    """
    seen = (picture.height, picture.width)
    if size not in (seen, picture.stored):
        raise PairError(
            "sizes differ",
            f"the mask is {size[1]} x {size[0]}, the picture {seen[1]} x {seen[0]} pixels (width x height); "
            "both must have one size; --resize-masks nearest resizes masks of the picture's shape",
        )
