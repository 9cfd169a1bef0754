"""Reading of any real image file into an H x W x 3 uint8 RGB array."""

import io
import logging
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from segnext.errors import SegNextError
from segnext.preprocess import Image

T = TypeVar("T", bound=np.generic)
Source = Path | str | bytes | PIL.Image.Image | NDArray[Any]

# Pictures with more pixels are refused from their header, before anything is decoded.
MAX_PIXELS = 512_000_000

# Pixel formats that Pillow decodes itself; EPS is left out because it would run Ghostscript.
FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM"),
    *("ICO", "TGA", "QOI", "PSD", "PCX", "SGI", "DDS", "ICNS"),
)

# File name suffixes, in lower case, by which pictures are found in folders.
SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib"),
        *(".gif", ".avif", ".avifs", ".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c", ".pbm", ".pgm", ".ppm"),
        *(".pnm", ".pfm", ".ico", ".tga", ".qoi", ".psd", ".pcx", ".sgi", ".dds", ".icns"),
    )
)

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its messages go to the terminal


def read_image(source: Source) -> Image:
    """Read a picture as people see it: upright, 8-bit, RGB.

    - The EXIF orientation is applied. Of animations and multi-page files the first picture is read.
    - 16-bit values keep their upper eight bits, so 0..65535 becomes 0..255. Signed and 32-bit integers are
      taken as 16-bit where they fit. Other integers, and floats outside 0..1 and 0..255, are stretched from
      their minimum and maximum.
    - Transparent pictures are laid on white: the colours hidden under transparency are arbitrary.
    - Grey, 1-bit, palette, CMYK and YCbCr pictures become RGB.

    Args:
        source: a file's path, an encoded file's bytes, a PIL image, or an array, H x W x 3 (RGB) or H x W
            (grey), uint8.

    Returns:
        A new array, (H, W, 3) uint8.

    Raises:
        SegNextError: when it is missing, unreadable, empty, damaged, too large or no image.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, PIL.Image.Image):
        with decoding("the PIL image"):
            return _to_rgb(source, "the PIL image")
    if isinstance(source, bytes):
        return _from_file(io.BytesIO(source), len(source), "the image in memory")
    if not isinstance(source, str | Path):
        raise SegNextError(
            f"cannot read a picture from {type(source).__name__}; give a path, bytes, a PIL image or a numpy array"
        )
    return _from_path(source)


def _from_path(name: str | Path) -> Image:
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            raise SegNextError(f"{name}: a folder or device, not an image file; name the files in it")
        with path.open("rb") as file:
            return _from_file(file, path.stat().st_size, str(name))
    except FileNotFoundError as error:
        raise SegNextError(f"{name}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise SegNextError(f"{name}: cannot be opened ({reason}); check its name and permissions") from error


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
    if length == 0:
        raise SegNextError(f"{name}: the file is empty")
    with decoding(name):
        PIL.Image.init()
        try:
            picture = PIL.Image.open(file, formats=[x for x in FORMATS if x in PIL.Image.OPEN])
        except PIL.UnidentifiedImageError:
            # OpenCV reads some TIFFs that Pillow does not, such as RGB in floats.
            if (size := _tiff_size(file)) is not None:
                check_size(*size, name)
                if (values := _opencv_rgb(file)) is not None:
                    return _to_8bit(values)
            raise
        with picture:
            check_size(*picture.size, name)
            if picture.format == "JPEG2000" and picture.mode == "RGB":
                # Pillow rounds 16-bit values up to 256, which turns white into black.
                values = _opencv_rgb(file)
                if values is not None and values.dtype == np.uint16:
                    return _to_8bit(values)
            return _to_rgb(picture, name)


class _Unbound:
    """Pillow's warnings silenced and its limit on pixels replaced by ours, while any thread is inside.

    Both are global: the first thread sets them and the last one restores them, so that threads decode side by side.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.undo = ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.undo.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                self.undo.callback(setattr, PIL.Image, "MAX_IMAGE_PIXELS", PIL.Image.MAX_IMAGE_PIXELS)
                PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.undo.close()


unbound_pillow = _Unbound()


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Pillow unbound, and its errors made one sentence."""
    with unbound_pillow:
        try:
            yield
        except SegNextError:
            raise
        except PIL.UnidentifiedImageError as error:
            raise SegNextError(
                f"{name}: not an image that can be read; give a JPEG, PNG, WebP, TIFF or similar file"
            ) from error
        except PIL.Image.DecompressionBombError as error:
            raise SegNextError(f"{name}: more than {MAX_PIXELS // 1_000_000} megapixels; cut it into pieces") from error
        except MemoryError as error:
            raise SegNextError(f"{name}: does not fit in memory; cut it into pieces") from error
        except Exception as error:  # decoders raise almost anything on damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise SegNextError(
                f"{name}: damaged, incomplete or of an unknown kind ({reason}); save or copy it again"
            ) from error


def check_size(width: int, height: int, name: str) -> None:
    """Refuse pictures without pixels and those with too many; `name` stands for them in the message."""
    if width < 1 or height < 1:
        raise SegNextError(f"{name}: the picture is {width} x {height}: it has no pixels")
    if width * height > MAX_PIXELS:
        raise SegNextError(
            f"{name}: {width} x {height} pixels are more than {MAX_PIXELS // 1_000_000} megapixels; cut it into pieces"
        )


def _to_rgb(picture: PIL.Image.Image, name: str) -> Image:
    check_size(*picture.size, name)
    picture.load()
    if picture.mode == "F" or picture.mode.startswith("I"):
        array = _to_8bit(np.asarray(picture))
        rgb = np.stack([array] * 3, axis=2)
    elif picture.has_transparency_data:
        opaque = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        rgb = np.array(PIL.Image.alpha_composite(white, opaque).convert("RGB"))
    else:
        rgb = np.array(picture.convert("RGB"))
    return np.ascontiguousarray(upright(rgb, orientation_of(picture)))


def orientation_of(picture: PIL.Image.Image) -> int:
    """The EXIF orientation, 1..8; read after decoding, because TIFF pictures are then upright already."""
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # damaged EXIF data does not make a picture unreadable
        return 1


def upright(array: NDArray[T], orientation: int) -> NDArray[T]:
    """Undo an EXIF orientation: rotated by quarter turns, and for 2, 4, 5 and 7 mirrored as well."""
    turns = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    turned = np.rot90(array, turns)
    return turned[:, ::-1] if orientation in (2, 4, 5, 7) else turned


def _to_8bit(values: NDArray[Any]) -> Image:
    """Grey or RGB values of any other type to 0..255, as `read_image` describes."""
    if values.dtype == np.uint8:
        return values
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


def _tiff_size(file: IO[bytes]) -> tuple[int, int] | None:
    """Width and height in a TIFF's header, whatever its pixels are; None for other files."""
    file.seek(0)
    try:
        tags = ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        return int(tags[256]), int(tags[257])
    except (SyntaxError, KeyError, TypeError, ValueError, struct.error):
        return None


def _opencv_rgb(file: IO[bytes]) -> NDArray[Any] | None:
    """The picture as OpenCV reads it, (H, W, 3) RGB of any type, or None."""
    import cv2

    file.seek(0)
    bgr = opencv_decode(file.read(), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return None if bgr is None else np.ascontiguousarray(bgr[..., ::-1])


def opencv_decode(content: bytes, flags: int) -> NDArray[Any] | None:
    """What OpenCV makes of an encoded picture, or None; nothing goes to the terminal."""
    import cv2

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        values = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    finally:
        cv2.utils.logging.setLogLevel(level)
    return None if values is None else np.asarray(values)
