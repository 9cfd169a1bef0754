"""What a TIFF says of itself."""

from dataclasses import dataclass
from typing import IO

import numpy as np
import PIL.Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from segnext.errors import SegNextError

ALPHA = (1, 2)  # what a TIFF says of transparency
CMYK = 5
FEW, HALF = 0.1, 0.5  # shares of pixels neither clear nor opaque: up to these a TIFF's last band can be transparency,
MOST_STEPS = 16  # between them if it has no more values than this


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
        return TiffHeader(size, bands, int(bits), kinds == 3, number(tags.get(42113)), colors)
    except Exception:  # Pillow raises almost anything on damaged ones
        return None
    finally:
        file.seek(place)


def number(text: object) -> float | None:
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
