"""What one picture and its mask are: format, size, values, fingerprints; small enough to keep for every pair."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL.Image

from segnext.data.coding import Coding
from segnext.data.doctor.values import Values, measure
from segnext.errors import SegNextError
from segnext.pillow import MAX_PIXELS, SUFFIXES, MissingReaderError, identify, open_regular, upright
from segnext.tiff import require_transparency, tiff_header

THUMB = 32  # side of the grey thumbnail that near copies are told by
ORIENTATION = 0x0112
_BANDS, _BITS, _FLOAT = 277, 258, 339  # TIFF tags

Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Header:
    """What a file says of itself before its pixels are read.

    Attributes:
        error: why it cannot be read, or None.
        format: Pillow's name of the format: JPEG, PNG, WEBP, ...
        mode: Pillow's name of the pixels' kind: RGB, L, P, ...
        size: width and height as stored.
        bands: number of channels.
        bits: bits per channel.
        orientation: of EXIF, 1 to 8; 1 is upright.
        frames: number of pages or animation frames.
    """

    error: str | None = None
    format: str = ""
    mode: str = ""
    size: Size = (0, 0)
    bands: int = 0
    bits: int = 8
    orientation: int = 1
    frames: int = 1

    @property
    def upright(self) -> Size:
        """Width and height once the EXIF orientation is applied."""
        return self.size[::-1] if self.orientation >= 5 else self.size

    @property
    def multiband(self) -> bool:
        """Whether it holds more than a picture and its transparency, which reading it as RGB would lose."""
        deep = self.bands == 4 and self.bits > 8
        return self.bands > 4 or (self.format == "TIFF" and (deep or self.mode in ("bands", "RGBX")) and self.bands > 1)


@dataclass(frozen=True)
class Mask(Header):
    """A mask's header and values.

    Attributes:
        values: of its pixels; None when they were not read. Of palette masks they are the indices.
        colors: of palette masks, the colour 0xRRGGBB of each index in use.
        alpha: "" without an alpha channel, "opaque", "varied", or "shape" when transparency alone tells the regions.
        equal_channels: whether red, green and blue are the same everywhere, so that it is a grey mask.
        digest: hash of its pixels; b"" when they were not read.
    """

    values: Values | None = None
    colors: dict[int, int] = field(default_factory=dict)
    alpha: str = ""
    equal_channels: bool = False
    digest: bytes = b""

    @property
    def blurred(self) -> bool:
        """Whether it was anti-aliased, interpolated or compressed with loss."""
        return self.values is not None and self.values.blurred

    def all_colors(self) -> set[int]:
        """The colours 0xRRGGBB that a mask of colours holds."""
        return {*self.colors.values()} if self.mode == "P" else {*(self.values.counts if self.values else ())}


@dataclass(frozen=True)
class Image(Header):
    """A picture's header and fingerprints.

    Attributes:
        digest: hash of its upright RGB pixels and size; b"" when they were not read.
        thumb: its grey thumbnail, THUMB x THUMB bytes, upright; b"" when it was not read.
    """

    digest: bytes = b""
    thumb: bytes = b""


@dataclass(frozen=True)
class PairRecord:
    """Both halves of a pair."""

    image: Image
    mask: Mask


def read_image_record(path: Path, *, pixels: bool = True) -> Image:
    """Look into a picture; `pixels` also decodes it."""

    def read(picture: PIL.Image.Image, header: Header) -> Image:
        record = Image(**vars(header))
        if not pixels:
            return record
        picture.load()
        try:
            require_transparency(picture, str(path))
        except SegNextError:  # the last band means something else
            record = replace(record, mode="bands")
        deep = picture.mode.startswith("I") or picture.mode == "F"
        upright = _upright(picture if deep else picture.convert("RGB"), header.orientation)
        digest = hashlib.blake2b(upright.tobytes(), digest_size=16)
        digest.update(repr(upright.size).encode())
        if deep:
            upright = _stretched(upright)
        return replace(record, digest=digest.digest(), thumb=thumbnail(upright))

    found = _open(path, read, pixels)
    return found if isinstance(found, Image) else Image(**vars(found))


def _stretched(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Deep grey values over the whole of 0 to 255; Pillow would cut them off at 255."""
    values = np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    return PIL.Image.fromarray(((values - low) * (255 / (high - low or 1.0))).astype(np.uint8))


def thumbnail(picture: PIL.Image.Image) -> bytes:
    """An upright RGB picture in grey, THUMB x THUMB."""
    grey = picture.reduce(max(1, min(picture.size) // (4 * THUMB))).convert("L")
    return grey.resize((THUMB, THUMB), PIL.Image.Resampling.BOX).tobytes()


def read_mask_record(path: Path, *, pixels: bool = True, coding: Coding | None = None) -> Mask:
    """Look into a mask; `pixels` also counts its values, or with a coding the labels that they mean."""
    if coding is not None and path.suffix.lower() not in SUFFIXES:
        return _decoded(path, coding) if pixels else Mask(mode="L")

    def read(picture: PIL.Image.Image, header: Header) -> Mask:
        record = Mask(**vars(header))
        if not pixels:
            return record
        if coding is not None:
            return replace(record, mode="L", values=measure(coding.decode(path)))
        picture.load()
        digest = hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
        return replace(_measured(picture, record), digest=digest)

    found = _open(path, read, pixels)
    return found if isinstance(found, Mask) else Mask(**vars(found))


def _decoded(path: Path, coding: Coding) -> Mask:
    """Of a mask in a file that is no picture and has no header."""
    try:
        labels = coding.decode(path)
    except SegNextError as error:
        return Mask(error=str(error).removeprefix(f"{path}: "))
    height, width = labels.shape
    return Mask(mode="L", size=(width, height), bands=1, bits=8, values=measure(labels))


def _measured(picture: PIL.Image.Image, record: Mask) -> Mask:
    if picture.mode in ("1", "L", "P"):
        values = measure(np.asarray(picture, dtype=np.uint8))
        return replace(record, values=values, colors=_palette(picture, values))
    if picture.mode.startswith("I") or picture.mode == "F":
        array = np.asarray(picture)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return replace(record, error="it holds values that are no numbers (NaN or infinite)")
        whole = np.rint(array).astype(np.int64)
        # Fractions are kept apart from labels: 0..1 in floats becomes negative thousandths.
        fractions = array.dtype.kind == "f" and bool((whole != array).any())
        return replace(record, values=measure(np.rint(-1000 * array).astype(np.int64) if fractions else whole))
    alpha = ""
    if "A" in picture.getbands():
        channel = np.asarray(picture.getchannel("A"))
        alpha = "opaque" if int(channel.min()) == 255 else "varied"
    rgba = np.asarray(picture.convert("RGB").convert("RGBA"))
    values = measure(rgba.view("<u4")[..., 0] & 0xFFFFFF)  # 0xBBGGRR
    if alpha == "varied" and values.distinct == 1:
        return replace(record, values=measure(channel.astype(np.uint8)), alpha="shape", equal_channels=True)
    equal = all(value == (value & 255) * 0x010101 for value in values.counts)
    values = values.renamed((lambda value: value & 255) if equal else _reversed)
    return replace(record, values=values, alpha=alpha, equal_channels=equal)


def _reversed(color: int) -> int:
    return (color & 255) << 16 | color & 0xFF00 | color >> 16


def _palette(picture: PIL.Image.Image, values: Values) -> dict[int, int]:
    if picture.mode != "P" or picture.palette is None:
        return {}
    entries = picture.getpalette("RGB") or []
    colors = [entries[start : start + 3] for start in range(0, len(entries), 3)]
    return {i: c[0] << 16 | c[1] << 8 | c[2] for i, c in enumerate(colors) if i in values.counts and len(c) == 3}


def _open(path: Path, read: Any, pixels: bool) -> Header:
    """`read(picture, header)`, or a header that says why not; without `pixels`, nothing is decoded."""
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size == 0:
                return Header(error="the file is empty")
            try:
                picture = identify(file)
            except PIL.UnidentifiedImageError:
                return _tiff(file) or Header(error=_what_it_is(file))
            with picture:
                header = _header(picture, file, pixels)
                if picture.size[0] * picture.size[1] > MAX_PIXELS:
                    return replace(header, error=f"more than {MAX_PIXELS // 1_000_000} megapixels")
                result: Header = read(picture, header)
                return result
    except MissingReaderError as error:
        return Header(error=str(error))
    except SegNextError as error:  # of a coding, which says what is wrong
        return Header(error=str(error).removeprefix(f"{path}: "))
    except MemoryError:
        return Header(error="it does not fit in memory")
    except Exception as error:  # decoders raise almost anything on damaged files
        return Header(error=_reason(error))


def _reason(error: Exception) -> str:
    text = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
    return f"truncated or damaged ({text})"


def _what_it_is(file: IO[bytes]) -> str:
    file.seek(0)
    start = file.read(256).lstrip()
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the picture; run 'git lfs pull'"
    if start.startswith(b"\x89PNG\n"):
        return "a PNG whose line ends were changed, as git or FTP does to texts; copy it again as binary"
    if start[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page, not a picture; download it again"
    return "not a picture, or too damaged to tell its format"


def _header(picture: PIL.Image.Image, file: IO[bytes], pixels: bool) -> Header:
    bits = {"1": 1, "I": 32, "F": 32}.get(picture.mode, 16 if picture.mode.startswith("I;16") else 8)
    bands = len(picture.getbands())
    if picture.format == "PNG":
        position = file.tell()
        file.seek(24)
        bits = max(file.read(1)[0], bits if picture.mode != "I" else 16)  # IHDR holds the depth
        bits = 16 if bits == 32 else bits
        file.seek(position)
    elif picture.format == "TIFF":
        tags: Any = getattr(picture, "tag_v2", {})
        bands, bits = int(tags.get(_BANDS, bands)), max(tags.get(_BITS, (bits,)))
    try:
        # Pillow decodes a whole PNG to see whether EXIF data follow its pixels, where hardly any has them.
        known = pixels or picture.format != "PNG" or "exif" in picture.info
        orientation = int(picture.getexif().get(ORIENTATION, 1)) if known else 1
    except Exception:  # damaged EXIF data does not make a picture unreadable
        orientation = 1
    return Header(
        format=picture.format or "",
        mode=picture.mode,
        size=picture.size,
        bands=bands,
        bits=bits,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        frames=int(getattr(picture, "n_frames", 1)),
    )


def _tiff(file: IO[bytes]) -> Header | None:
    """The header of a TIFF that Pillow does not read, such as one of five bands."""
    header = tiff_header(file)
    if header is None:
        return None
    mode = "float" if header.floats else "bands"
    return Header(format="TIFF", mode=mode, size=header.size, bands=header.bands, bits=header.bits)


def _upright(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    return picture if orientation == 1 else PIL.Image.fromarray(upright(np.asarray(picture), orientation))
