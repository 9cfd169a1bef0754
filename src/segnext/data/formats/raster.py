"""Reading mask files of any kind, and what a picture's file says of its size and rotation."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from segnext.bands import picture_size
from segnext.data.formats.source import PairError
from segnext.errors import SegNextError
from segnext.imageio import FORMATS, unbound_pillow

ORIENTATION = 0x0112  # EXIF tag
Kind = TypeVar("Kind", bound=np.generic)
_UNTRANSPOSED = (1, 2, 3, 4)  # orientations that keep width and height
_GREY = ("1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Shape:
    """Height and width of a picture as people see it, and the EXIF orientation (1 to 8) of what is stored."""

    height: int
    width: int
    orientation: int


def picture_shape(picture: Path | bytes) -> Shape:
    """Decode a picture, so that a damaged one is noticed, and tell its shape.

    Raises:
        PairError: when it cannot be read.
    """
    try:
        height, width = picture_size(picture)
    except SegNextError as error:
        raise PairError("unreadable picture", str(error)) from error
    return Shape(height, width, orientation(picture))


def orientation(picture: Path | bytes) -> int:
    """The EXIF orientation; 1, upright, when the file says none or nonsense."""
    try:
        with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as file:
            value = int(file.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data; the picture itself was readable
        return 1
    return value if 1 <= value <= 8 else 1


def turn(mask: NDArray[Kind], orientation: int) -> NDArray[Kind]:
    """A mask drawn on the stored pixels, turned as the EXIF orientation turns the picture."""
    turns = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    turned = np.rot90(mask, turns)
    return np.ascontiguousarray(turned[:, ::-1] if orientation in (2, 4, 5, 7) else turned)


def upright(mask: NDArray[np.uint8], picture: Shape, drawn_on: str) -> tuple[NDArray[np.uint8], bool]:
    """The mask as it lies on the upright picture, and whether it had to be turned.

    Args:
        mask: H x W.
        picture: the picture's shape.
        drawn_on: "upright" or "stored" where the size does not tell, or "auto" to refuse such masks.

    Raises:
        PairError: when sizes differ, or when the size does not tell what the mask was drawn on, and `drawn_on` neither.
    """
    size, seen = mask.shape, (picture.height, picture.width)
    stored = seen if picture.orientation in _UNTRANSPOSED else seen[::-1]
    unclear = picture.orientation != 1 and seen == stored
    if unclear and size == seen and drawn_on == "auto":
        raise PairError(
            "rotation unclear",
            f"the picture has EXIF orientation {picture.orientation}, and the mask's size does not tell whether it "
            "was drawn on the picture as seen or as stored; say --exif upright or --exif stored",
        )
    if size == stored and (size != seen or (unclear and drawn_on == "stored")):
        return turn(mask, picture.orientation), True
    if size == seen:
        return mask, False
    raise PairError(
        "sizes differ",
        f"the mask is {size[1]} x {size[0]}, the picture {seen[1]} x {seen[0]} pixels (width x height); "
        "both must have one size",
    )


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    Image.init()
    try:
        with unbound_pillow, Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as file:
            file.load()
            yield file
    except SegNextError:
        raise
    except UnidentifiedImageError as error:
        raise PairError("unreadable mask", f"{path}: not a picture that can be read") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise PairError("unreadable mask", f"{path}: cannot be read ({reason})") from error


def read_values(path: Path) -> NDArray[np.int32]:
    """One number per pixel, H x W: grey level or palette index.

    RGB pictures whose three channels are equal are grey ones.

    Raises:
        PairError: when the file is unreadable or has colours.
    """
    with _opened(path) as file:
        if file.mode == "P" or file.mode in _GREY:
            values = np.asarray(file).astype(np.int32)
        elif file.mode == "F":
            numbers = np.asarray(file)
            values = np.rint(np.nan_to_num(numbers, nan=-1.0)).astype(np.int32)
            if (values != numbers).any():
                raise PairError("fractions", f"{path}: holds fractions instead of labels; write whole numbers")
        elif (shape := _shape_in_alpha(file)) is not None:
            values = shape.astype(np.int32)
        else:
            channels = np.asarray(file.convert("RGB"))
            if (channels != channels[..., :1]).any():
                raise PairError(
                    "colours", f"{path}: holds colours instead of one label per pixel; import it by --from colors"
                )
            values = channels[..., 0].astype(np.int32)
    return turn(values, orientation(path))


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Brightness 0 to 255, H x W, of grey, 1-bit, palette or nearly grey RGB pictures.

    Raises:
        PairError: when the file is unreadable or has strong colours.
    """
    with _opened(path) as file:
        if file.mode in _GREY and file.mode not in ("1", "L"):
            values = np.asarray(file)
            grey = (values >> 8 if values.max() > 255 else values).astype(np.uint8)
        elif file.mode == "F":
            numbers = np.nan_to_num(np.asarray(file), nan=0.0)
            grey = (numbers * (255 if numbers.max() <= 1 else 1)).clip(0, 255).astype(np.uint8)
        elif (shape := _shape_in_alpha(file)) is not None:
            grey = shape
        else:
            channels = np.asarray(file.convert("RGB"))
            if np.ptp(channels, axis=2).max() > 48:  # JPEG makes grey a little coloured
                raise PairError("colours", f"{path}: holds colours instead of black and white; use --from colors")
            grey = channels[..., 1]
    return turn(grey, orientation(path))


def _shape_in_alpha(file: Image.Image) -> NDArray[np.uint8] | None:
    """The transparency of a mask that has one colour all over and its shape in that alone; else None."""
    if "A" not in file.getbands():
        return None
    alpha = np.asarray(file.getchannel("A"))
    channels = np.asarray(file.convert("RGB"))
    return alpha if (alpha != alpha[0, 0]).any() and not (channels != channels[0, 0]).any() else None


def read_colors(path: Path) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None]:
    """Colours 0xRRGGBB, H x W, and which pixels are wholly transparent (None when none can be).

    Raises:
        PairError: when the file is unreadable.
    """
    clear = None
    with _opened(path) as file:
        if file.mode == "P" and "transparency" not in file.info:
            palette = np.zeros((256, 3), np.int32)
            entries = np.array(file.getpalette("RGB"), np.int32).reshape(-1, 3)
            palette[: len(entries)] = entries
            codes = pack(palette)[np.asarray(file)]
        else:
            channels = np.asarray(file.convert("RGBA" if file.has_transparency_data else "RGB"))
            codes = pack(channels)
            if channels.shape[2] == 4:
                clear = channels[..., 3] == 0
    rotation = orientation(path)
    if rotation != 1:
        codes = turn(codes, rotation)
        clear = None if clear is None else turn(clear, rotation)
    return codes, clear if clear is not None and clear.any() else None


def pack(channels: NDArray[np.integer]) -> NDArray[np.int32]:
    """(..., 3 or more) 8-bit RGB to 0xRRGGBB."""
    red, green, blue = (channels[..., index].astype(np.int32) for index in range(3))
    return red << 16 | green << 8 | blue


def is_indexed(path: Path) -> bool:
    """Whether a mask holds one number per pixel; False for colours.

    Raises:
        PairError: when the file is unreadable.
    """
    with _opened(path) as file:
        return file.mode == "P" or file.mode in _GREY
