"""Reading of any real image file into an H x W x 3 uint8 RGB array."""

import io
import logging
import math
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from segnext.errors import SegNextError
from segnext.files import beside
from segnext.preprocess import Image
from segnext.silence import Shared, silenced

IN_MEMORY = "the image in memory"  # what sentences call bytes


class SupportsArray(Protocol):
    """What numpy makes an array of."""

    def __array__(self) -> NDArray[Any]: ...


T = TypeVar("T", bound=np.generic)
Source = (  # what a picture is read from; the last is an array of another library, such as a tensor
    os.PathLike[str] | str | bytes | bytearray | memoryview | IO[bytes] | PIL.Image.Image | NDArray[Any] | SupportsArray
)
Plain = Path | str | bytes | PIL.Image.Image | NDArray[Any]

# Pictures with more pixels are refused from their header, before anything is decoded.
ALPHA = (1, 2)  # what a TIFF says of transparency
CMYK = 5
MAX_PIXELS = 512_000_000
FEW, HALF = 0.1, 0.5  # shares of pixels neither clear nor opaque: up to these a TIFF's last band can be transparency,
MOST_STEPS = 16  # between them if it has no more values than this

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


def read_image(source: Source) -> Image:
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

    Returns:
        A new array, (H, W, 3) uint8.

    Raises:
        SegNextError: when it is missing, unreadable, empty, damaged, too large or no image.
    """
    source = plain_source(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, PIL.Image.Image):
        with decoding("the PIL image"):
            return _to_rgb(source, "the PIL image")
    if isinstance(source, bytes):
        return _from_file(io.BytesIO(source), len(source), IN_MEMORY)
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


@contextmanager
def open_regular(name: str | Path) -> Iterator[IO[bytes]]:
    """A file opened for reading.

    Raises:
        SegNextError: when it is missing or may not be read, and for folders, pipes, sockets and devices.
    """
    try:
        path = Path(name)
        if not stat.S_ISREG(path.stat().st_mode):
            raise SegNextError(f"{name}: a folder, pipe or device, not an image file; name the files in it")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise SegNextError(f"{name}: no such file{beside(Path(name))}; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise SegNextError(f"{name}: cannot be opened ({reason}); check its name and permissions") from error
    with file:
        yield file


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
        try:
            picture = identify(file)
        except PIL.UnidentifiedImageError:
            # OpenCV reads some TIFFs that Pillow does not, such as RGB in floats.
            if (header := tiff_header(file)) is not None:
                check_size(*header.size, name)
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
    with open_regular(source) as file, decoding(name or str(source)), identify(file) as picture:
        check_size(*picture.size, name or str(source))
        yield picture


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


def _to_rgb(picture: PIL.Image.Image, name: str) -> Image:
    check_size(*picture.size, name)
    picture.load()
    require_transparency(picture, name)
    if picture.mode == "F" or picture.mode.startswith("I"):
        tags: Any = getattr(picture, "tag_v2", {})
        array = _to_8bit(np.asarray(picture), _number(tags.get(42113)))
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


@dataclass(frozen=True)
class TiffHeader:
    """What a TIFF says of its first picture.

    Attributes:
        size: width and height.
        bands: number of channels.
        bits: of the widest channel.
        floats: whether values are floating-point numbers.
        nodata: the value that stands for "not measured", as GDAL writes it; None when there is none.
        colors: whether it says that its channels are those of a picture: transparency, or the inks of print.
    """

    size: tuple[int, int]
    bands: int
    bits: int
    floats: bool
    nodata: float | None
    colors: bool = False


def tiff_header(file: IO[bytes]) -> TiffHeader | None:
    """The header of a TIFF, whatever its pixels are and whether or not Pillow reads them; None for other files."""
    place = file.tell()
    file.seek(0)
    try:
        tags = ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        bits, kinds = (max(np.ravel(tags.get(tag, 1)).tolist()) for tag in (258, 339))
        bands, size = int(tags.get(277, 1)), (int(tags[256]), int(tags[257]))
        extra = np.ravel(tags.get(338, 0)).tolist()[-1]
        colors = extra in ALPHA or tags.get(262) == CMYK
        return TiffHeader(size, bands, int(bits), kinds == 3, _number(tags.get(42113)), colors)
    except Exception:  # Pillow raises almost anything on damaged ones
        return None
    finally:
        file.seek(place)


def _number(text: object) -> float | None:
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


def require_transparency(picture: PIL.Image.Image, name: str) -> None:
    """Refuse a TIFF whose last band, by its values, is no transparency: a near infrared one, say.

    Some programs, GDAL among them, write any fourth band as alpha.
    """
    if picture.format != "TIFF" or picture.mode not in ("LA", "RGBA", "RGBX", "RGBa"):
        return
    last = np.asarray(picture)[..., -1]
    between = np.count_nonzero((last > 0) & (last < 255)) / last.size
    count = len(np.unique(last)) if between > FEW else 1
    if count > MOST_STEPS or (count > 1 and between > HALF):
        bands = "[grey, other]" if picture.mode == "LA" else "[red, green, blue, nir]"
        raise SegNextError(
            f"{name}: has {len(picture.getbands())} bands, of which the last holds {count} values and is no "
            f"transparency; say what they are in dataset.yaml, as 'bands: {bands}', or save the picture without it"
        )


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
