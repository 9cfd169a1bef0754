"""Reading files band by band in their own units: grey, multispectral, 8 and 16 bits, integers and floats."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.documents import shown
from segnext.errors import SegNextError
from segnext.gdal import type_of
from segnext.imageio import IN_MEMORY, Source, plain_source, read_image
from segnext.opencv import opencv_decode
from segnext.pillow import check_size, decoding, open_picture, open_regular, orientation_of, upright
from segnext.preprocess import Bands, Image, Raster
from segnext.tiff import tiff_header
from segnext.words import counted

TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and big, both byte orders
JPEG2000 = b"\0\0\0\x0cjP  "
LARGEST = 1e300  # number that a file holds
LEFT_OUT = 4  # sparse rasters leave parts out that hold nothing; how many times larger they may be than their file
GDAL_DRIVERS = ("GTiff", "JP2OpenJPEG")  # pixels alone: some other drivers open what a file refers to
STRETCH = (2.0, 98.0)  # percentiles that become black and white
COLORS = (("red", "r"), ("green", "g"), ("blue", "b"))

Values = NDArray[Any]  # H x W x all bands of the file, of any type of numbers


def read_picture(source: Source, bands: Bands | None, name: str = IN_MEMORY) -> Image | Raster:
    """A picture as `Preprocess.normalise` takes it: 8-bit RGB, or its bands where files are to be read so.

    `name` is what messages call one that has no path.

    Raises:
        SegNextError: see `read_image` and `read_bands`.
    """
    return read_image(source, name) if bands is None else read_bands(source, bands, name)


def read_bands(source: Source, bands: Bands, name: str = IN_MEMORY) -> Raster:
    """The chosen bands of a picture, in the units of the data.

    TIFF and JPEG 2000 are read through rasterio, with any number of bands; a band's nodata value and NaN count as not
    measured. Other formats have what they store: a grey PNG one band of 8 or 16 bits, an RGB one three, transparency
    is a band like any other. A palette is looked up. EXIF orientation is applied.

    Args:
        source: a file's path, an encoded file's bytes or the open file, a PIL image, or an array or tensor,
            H x W x bands (H x W for one band), with all bands that files have.
        bands: which bands there are, and which are wanted.
        name: what messages call a picture that has no path.

    Returns:
        (H, W, chosen bands) float32, NaN where not measured.

    Raises:
        SegNextError: when it cannot be read, has another number of bands than `bands` names, or holds 8-bit values
            where training had more, or the reverse; or when it needs rasterio, which is not installed.
    """
    source = plain_source(source)
    values, missing = read_values(source, name)
    return select(values, missing, bands, str(source) if isinstance(source, str | Path) else name)


def picture_size(source: Source) -> tuple[int, int]:
    """Height and width of a picture, be it read as RGB or band by band.

    Raises:
        SegNextError: when it can be read neither way.
    """
    try:
        height, width = read_image(source).shape[:2]
    except SegNextError as error:
        try:
            height, width = read_values(source)[0].shape[:2]  # perhaps several bands, which Pillow does not know
        except SegNextError as other:
            raise (other if "rasterio" in str(other) else error) from None
    return height, width


def select(values: Values, missing: NDArray[np.bool_] | None, bands: Bands, name: str) -> Raster:
    """The chosen bands of what `read_values` gives; `name` stands for it in messages. See `read_bands`."""
    require_bands(values.shape[2], values.dtype, bands, name)
    chosen = values[..., bands.positions]
    result: Raster = chosen.astype(np.float32)
    result[~np.isfinite(result)] = np.nan
    if missing is not None:
        result[missing[..., bands.positions]] = np.nan
    if bands.nodata is not None:
        result[chosen == bands.nodata] = np.nan
    return result


def require_bands(count: int, dtype: np.dtype[Any], bands: Bands, name: str) -> None:
    """Refuse a file whose bands or type of values are not those that `bands` describes."""
    if count != len(bands.names):
        wanted = f"{counted(len(bands.names), 'band')} ({', '.join(bands.names)})"
        raise SegNextError(
            f"{name}: has {counted(count, 'band')}, but {wanted} are expected; "
            "give files with these bands, in this order"
        )
    if bands.dtype and (dtype == np.uint8) != (bands.dtype == "uint8"):
        raise SegNextError(
            f"{name}: holds values of type {dtype}, training had {bands.dtype}, so the same number means something "
            "else; give files as in training"
        )


def bands_from_dict(content: Mapping[str, Any], source: str) -> Bands | None:
    """`bands` and `nodata` of a `dataset.yaml`; None when it has no `bands`. `source` names it in error messages.

    Raises:
        SegNextError: when they are not a list of different names, and a number.
    """
    names, nodata = content.get("bands"), content.get("nodata")
    if names is None:
        if nodata is not None:
            raise SegNextError(
                f"{source}: has 'nodata' but no 'bands'; name the bands: 'bands: [red, green, blue, nir]'"
            )
        return None
    valid = isinstance(names, list) and names and all(isinstance(name, str | int) for name in names)
    if not valid or len({str(name) for name in names}) < len(names):
        raise SegNextError(
            f"{source}: 'bands' is {shown(names)}; list the names of a file's bands, each once, in the file's order: "
            "'bands: [red, green, blue, nir]'"
        )
    if nodata is not None and (type(nodata) not in (int, float) or not abs(nodata) < LARGEST):
        raise SegNextError(
            f"{source}: 'nodata' is {shown(nodata)}; it must be the number that stands for 'not measured'"
        )
    words = tuple(str(name) for name in names)
    return Bands(words, words, None if nodata is None else float(nodata))


def read_values(source: Source, name: str = IN_MEMORY) -> tuple[Values, NDArray[np.bool_] | None]:
    """All bands of a picture as stored, (H, W, bands) of any type, and where nothing was measured, as the file says.

    Raises:
        SegNextError: when it cannot be read.
    """
    source = plain_source(source)
    if isinstance(source, np.ndarray):
        return _from_array(source), None
    if isinstance(source, PIL.Image.Image):
        with decoding(name):
            return _from_picture(source), None
    if isinstance(source, bytes):
        content = source
    else:
        content, name = _content(source), str(source)
    if not content:
        raise SegNextError(f"{name}: the file is empty")
    if content.startswith((*TIFFS, JPEG2000)):
        return _from_raster(content, name)
    with open_picture(content, name) as picture:
        if picture.format == "PNG" and content[24] == 16:
            picture.verify()  # OpenCV takes what there is of a damaged one
            return _from_deep_png(content), None
        return _from_picture(picture), None


def _content(source: str | Path) -> bytes:
    with open_regular(source) as file:
        return file.read()


def _from_array(array: Values) -> Values:
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype.kind not in "uif":
        raise SegNextError(
            f"the array is {array.dtype} of shape {array.shape}; give H x W x bands (H x W for one band) of numbers"
        )
    return array if array.ndim == 3 else array[..., None]


def _from_picture(picture: PIL.Image.Image) -> Values:
    """The channels of an opened picture, without a palette."""
    picture.load()
    if picture.mode in ("P", "PA"):
        plain = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    else:
        plain = picture.convert("L") if picture.mode == "1" else picture
    values = np.asarray(plain)
    turned = upright(values, orientation_of(picture))
    return turned if turned.ndim == 3 else turned[..., None]


def _from_deep_png(content: bytes) -> Values:
    """A PNG of 16 bits per channel, of which Pillow would keep eight in colour."""
    import cv2

    values = opencv_decode(content, cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("damaged data")
    if content[25] == 4:  # grey with alpha, which OpenCV turns into blue, green, red, alpha
        return values[..., [0, 3]]
    if values.ndim == 2:
        return values[..., None]
    return values[..., [2, 1, 0, 3][: values.shape[2]]]


def _from_raster(content: bytes, name: str) -> tuple[Values, NDArray[np.bool_] | None]:
    """The bands of a TIFF or JPEG 2000 file, and where it says that nothing was measured."""
    try:
        import rasterio
        from rasterio.enums import MaskFlags
    except ImportError as error:
        raise SegNextError(
            f"{name}: reading the bands of TIFF and JPEG 2000 files needs rasterio; install it with "
            "pip install 'segnext[raster]'"
        ) from error
    with decoding(name):
        try:
            with (
                rasterio.MemoryFile(content, filename="raster") as file,
                file.open(driver=list(GDAL_DRIVERS)) as raster,
            ):
                check_size(raster.width, raster.height, name)
                wanted = raster.width * raster.height * raster.count * type_of(raster, name).itemsize
                if raster.compression is None and wanted > LEFT_OUT * len(content):
                    raise ValueError(f"{len(content):,} bytes cannot hold {raster.width} x {raster.height} pixels")
                values: Values = raster.read().transpose(1, 2, 0)
                missing = np.zeros(values.shape, np.bool_)
                for band, nodata in enumerate(raster.nodatavals):
                    if nodata is not None:
                        missing[..., band] = values[..., band] == nodata
                flags = raster.mask_flag_enums[0]
                if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:  # a mask inside the file
                    missing |= raster.read_masks(1)[..., None] == 0
        except rasterio.errors.RasterioError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise SegNextError(
                f"{name}: damaged, incomplete or of an unknown kind ({reason}); save or copy it again"
            ) from error
    return values, missing if missing.any() else None


def require_picture(file: Path, advice: str = "but dataset.yaml names none; add 'bands: [{names}]'") -> None:
    """Refuse a file with more bands than pictures have: read as RGB, it would lose them unnoticed.

    Raises:
        SegNextError: with `advice`, in which {names} stands for names of the bands.
    """
    with open_regular(file) as content:
        header = tiff_header(content)
    if header is None or header.bands < 4 or (header.bands == 4 and (header.bits == 8 or header.colors)):
        return  # whether a fourth band of 8 bits is transparency, its values tell
    names = ", ".join(f"band{number}" for number in range(1, header.bands + 1))
    raise SegNextError(
        f"{file}: has {header.bands} bands of {header.bits} bits, {advice.format(names=names)} with their names in the "
        "files' order"
    )


def view(image: NDArray[Any], bands: Bands | None) -> Image:
    """What people are shown of what `read_picture` gave: an RGB picture itself, the `composite` of bands."""
    return image if bands is None else composite(image, bands)


def view_file(source: Source, bands: Bands) -> Image:
    """The `composite` of a file whose type of values may be any.

    Raises:
        SegNextError: see `read_bands`.
    """
    values, missing = read_values(source)
    bands = replace(bands, dtype=values.dtype.name)
    return composite(select(values, missing, bands, str(source)), bands)


def composite(raster: Raster, bands: Bands) -> Image:
    """Bands as a picture for people, (H, W, 3) uint8; black where nothing was measured.

    The bands named red, green and blue (or r, g, b), else the first three, else the first alone in grey. 8-bit values
    stay as they are. Others are stretched from their 2nd to their 98th percentile: red, green and blue together, so
    that their colours stay, bands of other names each by itself.
    """
    lower = [name.lower() for name in bands.chosen]
    colors = [next((lower.index(word) for word in words if word in lower), -1) for words in COLORS]
    shown = colors if -1 not in colors else [0, 1, 2] if len(lower) >= 3 else [0, 0, 0]
    values = raster[..., shown]
    picture = np.zeros(values.shape, np.uint8)
    for channel in range(3):
        measured = np.isfinite(values[..., channel])
        scale = values if shown is colors else values[..., channel]
        low, high = (0.0, 255.0) if bands.dtype == "uint8" else _ends(scale[np.isfinite(scale)])
        stretched = (values[..., channel][measured] - low) * (255.0 / (high - low))
        picture[..., channel][measured] = np.rint(np.clip(stretched, 0, 255))
    return picture


def _ends(values: NDArray[np.float32]) -> tuple[float, float]:
    """What becomes black and what white."""
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(end) for end in np.percentile(values, STRETCH))
    return (low, high) if high > low else (low - 0.5, low + 0.5)
