"""PNG files that others read."""

import importlib
import io
import sys
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from segnext.inference import png
from segnext.preprocess import Image

SIZES = [(1, 1), (1, 7), (7, 1), (33, 50), (200, 301)]


def noise(size: tuple[int, int]) -> Image:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_others_read_the_same_pixels(size: tuple[int, int]) -> None:
    image = noise(size)
    encoded = png.encode_png(image)
    with PIL.Image.open(io.BytesIO(encoded)) as picture:
        picture.verify()  # the checksums
    with PIL.Image.open(io.BytesIO(encoded)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(picture), image)
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    np.testing.assert_array_equal(decoded[..., ::-1], image)


def test_views_are_taken_as_they_look() -> None:
    image = noise((20, 30))
    with PIL.Image.open(io.BytesIO(png.encode_png(image[::2, ::-1]))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), image[::2, ::-1])


def test_it_needs_no_other_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "isal", None)
        without.setitem(sys.modules, "isal.isal_zlib", None)
        plain = importlib.reload(png)
        assert plain.compress is zlib.compress
        with PIL.Image.open(io.BytesIO(plain.encode_png(noise((9, 8))))) as picture:
            np.testing.assert_array_equal(np.asarray(picture), noise((9, 8)))
    importlib.reload(png)
