"""What a picture is that is read band by band."""

import hashlib
from dataclasses import replace
from pathlib import Path

import PIL.Image

from segnext.bands import composite, read_values, select
from segnext.data.doctor.records import Image, read_image_record, thumbnail
from segnext.errors import SegNextError
from segnext.preprocess import Bands


def read_raster_record(path: Path, bands: Bands, *, pixels: bool = True) -> Image:
    """Look into a picture whose bands have names; `pixels` also decodes it.

    Its digest is that of the values as they are, its thumbnail that of the composite for people.
    """
    header = read_image_record(path, pixels=False)
    if header.format == "TIFF":
        header = replace(header, orientation=1)  # rasters lie as they are stored
    if not pixels:
        return header
    try:
        values, missing = read_values(path)
    except SegNextError as error:
        return replace(header, error=str(error).removeprefix(f"{path}: "))
    height, width, count = values.shape
    digest = hashlib.blake2b(values.tobytes(), digest_size=16)
    digest.update(repr((values.shape, values.dtype.name)).encode())
    found = replace(
        header,
        error=None,
        mode=header.mode or "bands",
        size=(height, width) if header.orientation >= 5 else (width, height),
        bands=count,
        bits=8 * values.dtype.itemsize,
        digest=digest.digest(),
    )
    if count != len(bands.names):
        return found
    bands = replace(bands, dtype=values.dtype.name)
    shown = composite(select(values, missing, bands, str(path)), bands)
    return replace(found, thumb=thumbnail(PIL.Image.fromarray(shown)))
