"""Reading of any real image file into an H x W x 3 uint8 RGB array."""

import io
import os
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.opencv import opencv_rgb
from segnext.pillow import check_size, decoding, identify, open_regular, orientation_of, require_bytes, upright
from segnext.preprocess import Image
from segnext.tiff import number, require_transparency, tiff_header

IN_MEMORY = "the image in memory"  # what sentences call bytes


class SupportsArray(Protocol):
    """What numpy makes an array of."""

    def __array__(self) -> NDArray[Any]: ...


Source = (  # what a picture is read from; the last is an array of another library, such as a tensor
    os.PathLike[str] | str | bytes | bytearray | memoryview | IO[bytes] | PIL.Image.Image | NDArray[Any] | SupportsArray
)
Plain = Path | str | bytes | PIL.Image.Image | NDArray[Any]


def read_image(source: Source, name: str = IN_MEMORY) -> Image:
    """Read a picture as people see it: upright, 8-bit, RGB.

    - The EXIF orientation is applied. Of animations and multi-page files the first picture is read.
    - 16-bit values keep their upper eight bits, so 0..65535 becomes 0..255. Signed and 32-bit integers are
      taken as 16-bit where they fit. Other integers, and floats outside 0..1 and 0..255, are stretched from
      their minimum and maximum; what a TIFF calls not measured is left out of that.
    - Transparent pictures are laid on white: the colours hidden under transparency are arbitrary. A TIFF whose last
      band is called transparency but holds something else is refused.
    - Grey, 1-bit, palette, CMYK and YCbCr pictures become RGB.

    Args:
        source: a file's path, an encoded file's bytes or the open file, a PIL image, or an array or tensor, H x W x 3
            (RGB) or H x W (grey), uint8.
        name: what messages call a picture that has no path.

    Returns:
        A new array, (H, W, 3) uint8.

    Raises:
        SegNextError: when it is missing, unreadable, empty, damaged, too large or no image.
    """
    source = plain_source(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, PIL.Image.Image):
        with decoding(name):
            return _to_rgb(source, name)
    if isinstance(source, bytes):
        return _from_file(io.BytesIO(source), len(source), name)
    return _from_path(source)


def plain_source(source: object) -> Plain:
    """A source as one of few types: what is open is read, and what another library holds becomes an array.

    Raises:
        SegNextError: when it is nothing that a picture could be read from.
    """
    if isinstance(source, str | Path | bytes | PIL.Image.Image | np.ndarray):
        return source
    if isinstance(source, os.PathLike):
        return Path(os.fsdecode(source))
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    kind = type(source).__name__
    if hasattr(source, "read"):
        content = source.read()
        if not isinstance(content, bytes):
            raise SegNextError(f"cannot read a picture from {kind}, which gives text; open the file with 'rb'")
        return content
    if hasattr(source, "__array__"):
        try:
            return np.asarray(source)
        except Exception as error:  # of a tensor on another device, or one with a gradient
            raise SegNextError(f"cannot make an array of {kind} ({error}); give a numpy array") from error
    raise SegNextError(f"cannot read a picture from {kind}; give a path, bytes, an open file, a PIL image or an array")


def is_source(source: object) -> bool:
    """Whether `plain_source` would try to read one picture from it."""
    kinds = (str, bytes, bytearray, memoryview, os.PathLike, PIL.Image.Image, np.ndarray)
    return isinstance(source, kinds) or hasattr(source, "read") or hasattr(source, "__array__")


def _from_path(name: str | Path) -> Image:
    with open_regular(name) as file:
        return _from_file(file, os.fstat(file.fileno()).st_size, str(name))


def _from_array(array: NDArray[Any]) -> Image:
    if array.dtype != np.uint8:
        raise SegNextError(f"the array's type is {array.dtype}; give uint8 values from 0 to 255")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise SegNextError(f"the array's shape is {array.shape}; give H x W x 3 (RGB) or H x W (grey)")
    if array.size == 0:
        raise SegNextError(f"the array's shape is {array.shape}: it has no pixels")
    return np.stack([array] * 3, axis=2) if array.ndim == 2 else array.copy(order="C")


def _from_file(file: IO[bytes], length: int, name: str) -> Image:
    """Decode an open file of `length` bytes; `name` stands for it in messages."""
    require_bytes(length, name)
    with decoding(name):
        try:
            picture = identify(file)
        except PIL.UnidentifiedImageError:
            # OpenCV reads some TIFFs that Pillow does not, such as RGB in floats.
            if (header := tiff_header(file)) is not None:
                check_size(*header.size, name)
                if (values := opencv_rgb(file)) is not None:
                    return _to_8bit(values)
            raise
        with picture:
            check_size(*picture.size, name)
            if picture.format == "JPEG2000" and picture.mode == "RGB":
                # Pillow rounds 16-bit values up to 256, which turns white into black.
                values = opencv_rgb(file)
                if values is not None and values.dtype == np.uint16:
                    return _to_8bit(values)
            return _to_rgb(picture, name)


def _to_rgb(picture: PIL.Image.Image, name: str) -> Image:
    check_size(*picture.size, name)
    picture.load()
    require_transparency(picture, name)
    if picture.mode == "F" or picture.mode.startswith("I"):
        tags: Any = getattr(picture, "tag_v2", {})
        array = _to_8bit(np.asarray(picture), number(tags.get(42113)))
        rgb = np.stack([array] * 3, axis=2)
    elif picture.has_transparency_data:
        opaque = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        rgb = np.array(PIL.Image.alpha_composite(white, opaque).convert("RGB"))
    else:
        rgb = np.array(picture.convert("RGB"))
    return np.ascontiguousarray(upright(rgb, orientation_of(picture)))


def _to_8bit(values: NDArray[Any], nodata: float | None = None) -> Image:
    """Grey or RGB values of any other type to 0..255, as `read_image` describes; black where they are `nodata`."""
    if values.dtype == np.uint8:
        return values
    if nodata is not None and (missing := values == nodata).any():
        measured = values[~missing]
        values = np.where(missing, measured.min() if measured.size else 0, values)
    if values.dtype.kind in "iu":
        if values.min() >= 0 and values.max() <= 0xFFFF:
            return (values >> 8).astype(np.uint8)
        values = values.astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 255:
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    scaled = (values - low) * (255.0 / (high - low or 1.0))
    return np.rint(scaled).astype(np.uint8)
