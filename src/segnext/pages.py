"""HTML pages for people that need no other file and no network."""

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from segnext.files import replacing


def write_page(path: Path, template: str, filters: Mapping[str, Callable[..., Any]], **words: Any) -> None:
    """Write one of the templates; OSError when it cannot be written."""
    environment = Environment(
        loader=PackageLoader("segnext"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    text = environment.get_template(template).render(**words)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def jpeg(pixels: NDArray[np.uint8]) -> str:
    """A picture, H x W x 3, as a data URI."""
    return encoded(PIL.Image.fromarray(pixels), "jpeg", quality=80)


def png(pixels: NDArray[np.uint8]) -> str:
    """A picture of few colours, H x W x 3, as a data URI."""
    return encoded(PIL.Image.fromarray(pixels).quantize(256, dither=PIL.Image.Dither.NONE), "png", optimize=True)


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> str:
    """Any picture as a data URI; `options` are Pillow's for its format."""
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return data_uri(buffer.getvalue(), kind)


def data_uri(content: bytes, kind: str) -> str:
    """An encoded picture as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
