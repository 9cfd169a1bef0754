"""The one door to Pillow: what is opened is of a known format, of a bounded size, and its faults are one sentence."""

import io
import logging
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.files import require_regular
from segnext.silence import Shared, silenced

T = TypeVar("T", bound=np.generic)

# Pictures with more pixels are refused from their header, before anything is decoded.
MAX_PIXELS = 512_000_000

# Pixel formats that Pillow decodes itself; EPS is left out because it would run Ghostscript.
FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM"),
    *("ICO", "TGA", "QOI", "PSD", "PCX", "SGI", "DDS", "ICNS"),
)

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
JXL_STARTS = (b"\xff\x0a", b"\0\0\0\x0cJXL ")

# File name suffixes, in lower case, by which pictures are found in folders.
SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib"),
        *(".heic", ".heif", ".hif", ".jxl"),
        *(".gif", ".avif", ".avifs", ".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c", ".pbm", ".pgm", ".ppm"),
        *(".pnm", ".pfm", ".ico", ".tga", ".qoi", ".psd", ".pcx", ".sgi", ".dds", ".icns"),
    )
)

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its messages go to the terminal


@contextmanager
def open_regular(name: str | Path) -> Iterator[IO[bytes]]:
    """A file opened for reading.

    Raises:
        SegNextError: when it is missing or may not be read, and for folders, pipes, sockets and devices.
    """
    require_regular(name, "an image file")
    path = Path(name)
    try:
        file = path.open("rb")
    except OSError as error:
        raise SegNextError(f"{name}: cannot be opened ({error.strerror}); check its name and permissions") from error
    with file:
        yield file


def identify(file: IO[bytes]) -> PIL.Image.Image:
    """The picture in an open file, of which the header alone has been read: the one place where Pillow opens files.

    Raises:
        PIL.UnidentifiedImageError: when it is of none of `FORMATS`; others are not tried, for some start programs.
        OSError: when its header is damaged, or promises more pixels than its bytes can hold.
    """
    PIL.Image.init()
    picture: PIL.Image.Image
    try:
        picture = PIL.Image.open(file, formats=[name for name in FORMATS if name in PIL.Image.OPEN])
    except PIL.UnidentifiedImageError:
        picture = _open_by_plugin(file)
    place = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(place)
    pixels = picture.width * picture.height
    if pixels <= MAX_PIXELS and pixels * _least_bits(picture) > 8 * length * _most_packed(picture):
        raise OSError(f"{length:,} bytes cannot hold {picture.width} x {picture.height} pixels")
    return picture


class MissingReaderError(Exception):
    """A picture of a format for whose reading a package is missing."""


def _open_by_plugin(file: IO[bytes]) -> PIL.Image.Image:
    """HEIC and JPEG XL, which packages beside Pillow read.

    Raises:
        PIL.UnidentifiedImageError: for other files.
        MissingReaderError: when the package is not installed.
    """
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        kind, package = "HEIF", "pillow_heif"
    elif start.startswith(JXL_STARTS):
        kind, package = "JXL", "pillow_jxl"
    else:
        raise PIL.UnidentifiedImageError("of no known format")
    try:
        plugin = import_module(package)
    except ImportError as error:
        raise MissingReaderError(
            f"a {'HEIC' if kind == 'HEIF' else 'JPEG XL'} picture, for which a package is missing; "
            "pip install 'segnext[heif]', or convert it to JPEG or PNG"
        ) from error
    if kind == "HEIF" and kind not in PIL.Image.OPEN:
        plugin.register_heif_opener(thumbnails=False)
    return PIL.Image.open(file, formats=[kind])


def _least_bits(picture: PIL.Image.Image) -> int:
    """Bits that a pixel has at least before it is compressed."""
    return 1 if picture.mode in ("1", "P") else 8 * len(picture.getbands())


def _most_packed(picture: PIL.Image.Image) -> float:
    """Bytes of pixels that a byte of the file can stand for, as far as that is known of its compression."""
    if picture.format in ("BMP", "DIB", "PPM"):
        return 1 if picture.info.get("compression", 0) == 0 else math.inf
    compression = str(picture.info.get("compression", "deflate" if picture.format == "PNG" else ""))
    if picture.format == "TIFF" and compression == "raw":
        return 1
    return 1032 if picture.format in ("PNG", "TIFF") and "deflate" in compression else math.inf


@contextmanager
def open_picture(source: Path | str | bytes, name: str = "") -> Iterator[PIL.Image.Image]:
    """A picture whose header has been read and found sound; its pixels are decoded when they are asked for.

    Raises:
        SegNextError: when it cannot be read, then or inside the block; `name` stands for it, else its path.
    """
    if isinstance(source, bytes):
        with decoding(name), identify(io.BytesIO(source)) as picture:
            check_size(*picture.size, name)
            yield picture
        return
    name = name or str(source)
    with open_regular(source) as file:
        require_bytes(os.fstat(file.fileno()).st_size, name)
        with decoding(name), identify(file) as picture:
            check_size(*picture.size, name)
            yield picture


def require_bytes(length: int, name: str) -> None:
    """Refuse a file of no bytes, as an interrupted copy leaves it."""
    if length == 0:
        raise SegNextError(f"{name}: the file is empty")


def pages(source: Path | str) -> int:
    """How many pictures the file holds: pages of a TIFF, frames of an animation. Of them the first is read.

    Raises:
        SegNextError: when it cannot be read.
    """
    with open_picture(source) as picture:
        return int(getattr(picture, "n_frames", 1))


def _unbind(undo: ExitStack) -> None:
    undo.enter_context(silenced)
    undo.callback(setattr, PIL.Image, "MAX_IMAGE_PIXELS", PIL.Image.MAX_IMAGE_PIXELS)
    PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS


unbound_pillow = Shared(_unbind)  # its warnings silenced and its limit on pixels replaced by ours


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Pillow unbound, and its errors made one sentence."""
    with unbound_pillow:
        try:
            yield
        except SegNextError:
            raise
        except MissingReaderError as error:
            raise SegNextError(f"{name}: {error}") from error
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
