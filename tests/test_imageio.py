"""Every kind of image file becomes RGB; every bad one a sentence."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from conftest import encoded
from numpy.typing import NDArray
from PIL import ImageOps, features

from segnext.errors import SegNextError
from segnext.imageio import read_image


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "TGA", "PCX", "SGI", "QOI", "DDS", "JPEG2000"])
def test_lossless_rgb_is_exact(rgb: NDArray[np.uint8], format: str) -> None:
    image = read_image(encoded(PIL.Image.fromarray(rgb), format))
    assert image.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"]
    assert image.flags["WRITEABLE"]
    np.testing.assert_array_equal(image, rgb)


@pytest.mark.parametrize(("format", "options"), [("JPEG", {}), ("WEBP", {"quality": 95}), ("AVIF", {"quality": 95})])
def test_lossy_rgb_is_near(format: str, options: dict[str, int]) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    flat = np.full((32, 48, 3), (200, 100, 50), np.uint8)
    image = read_image(encoded(PIL.Image.fromarray(flat), format, **options))
    assert image.shape == flat.shape
    assert np.abs(image.astype(int) - flat).max() <= 4


def test_path_text_bytes_and_pil_image_agree(tmp_path: Path, rgb: NDArray[np.uint8]) -> None:
    file = tmp_path / "photo.with.dots.PNG"
    PIL.Image.fromarray(rgb).save(file)
    for source in (file, str(file), file.read_bytes(), PIL.Image.open(io.BytesIO(file.read_bytes()))):
        np.testing.assert_array_equal(read_image(source), rgb)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("format", "options"), [("JPEG", {"quality": 95}), ("PNG", {}), ("TIFF", {}), ("WEBP", {})])
def test_exif_orientation_is_applied(
    rgb: NDArray[np.uint8], orientation: int, format: str, options: dict[str, int]
) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    plain = encoded(PIL.Image.fromarray(rgb), format, **options)
    turned = encoded(PIL.Image.fromarray(rgb), format, exif=exif, **options)
    stored = PIL.Image.fromarray(read_image(plain))
    stored.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(read_image(turned), np.asarray(ImageOps.exif_transpose(stored)))


def test_orientation_6_turns_clockwise_by_hand() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # the stored top row is the right column of the scene
    stored = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
    image = read_image(encoded(PIL.Image.fromarray(stored), "PNG", exif=exif))
    assert image.tolist() == [[[255, 0, 0]], [[0, 255, 0]]]


def test_orientation_of_16_bit_grey() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 3
    stored = np.array([[0, 0x1200, 0xFFFF]], np.uint16)
    image = read_image(encoded(PIL.Image.fromarray(stored), "PNG", exif=exif))
    assert image[..., 0].tolist() == [[255, 0x12, 0]]


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".jp2", ".pgm"])
@pytest.mark.parametrize("bands", [1, 3])
def test_16_bit_keeps_its_upper_byte(suffix: str, bands: int) -> None:
    if (suffix, bands) == (".pgm", 3):
        suffix = ".ppm"
    grey = np.array([[0, 0x00FF, 0x0100], [0x8000, 0xABCD, 0xFFFF]], np.uint16)
    grey = np.kron(grey, np.ones((32, 32), np.uint16))
    values = grey if bands == 1 else np.stack([grey, grey[::-1], grey[:, ::-1]], axis=2)
    options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if suffix == ".jp2" else []
    ok, data = cv2.imencode(suffix, values[..., ::-1] if bands == 3 else values, options)
    assert ok
    image = read_image(data.tobytes())
    expected = np.stack([grey] * 3, axis=2) if bands == 1 else values
    np.testing.assert_allclose(image.astype(int), expected >> 8, atol=1)


def test_16_bit_grey_is_exact_and_big_endian_too() -> None:
    values = np.array([[0, 255, 256, 0xABCD, 0xFFFF]], np.uint16)
    wanted = [[0, 0, 1, 0xAB, 255]]
    assert read_image(encoded(PIL.Image.fromarray(values), "PNG"))[..., 1].tolist() == wanted
    swapped = PIL.Image.frombytes("I;16B", (5, 1), values.astype(">u2").tobytes())
    assert read_image(swapped)[..., 1].tolist() == wanted


def test_32_bit_integers() -> None:
    within = PIL.Image.fromarray(np.array([[0, 0x8000, 0xFFFF]], np.int32))
    assert read_image(encoded(within, "TIFF"))[..., 0].tolist() == [[0, 128, 255]]
    beyond = PIL.Image.fromarray(np.array([[-100_000, 0, 100_000]], np.int32))
    assert read_image(encoded(beyond, "TIFF"))[..., 0].tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 127.6, 255.0], [0, 128, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 500.0, 1000.0], [0, 128, 255]),
        ([np.nan, 0.5, np.inf], [0, 128, 0]),
        ([0.0, 0.0, 0.0], [0, 0, 0]),
        ([-5.0, -5.0, -5.0], [0, 0, 0]),
    ],
)
def test_float_tiff(values: list[float], wanted: list[int]) -> None:
    data = encoded(PIL.Image.fromarray(np.array([values], np.float32)), "TIFF")
    assert read_image(data).tolist() == [[[value] * 3 for value in wanted]]


def test_float_rgb_tiff() -> None:
    values = np.random.default_rng(1).random((4, 5, 3), dtype=np.float32)
    values[0, 0] = 1.0
    _, data = cv2.imencode(".tiff", values[..., ::-1])
    np.testing.assert_allclose(read_image(data.tobytes()), values * 255, atol=0.51)


def test_one_bit() -> None:
    bits = np.array([[True, False, True]])
    assert read_image(encoded(PIL.Image.fromarray(bits), "PNG"))[..., 2].tolist() == [[255, 0, 255]]
    assert read_image(encoded(PIL.Image.fromarray(bits), "TIFF"))[..., 2].tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_grey(format: str) -> None:
    image = read_image(encoded(PIL.Image.new("L", (6, 4), 77), format))
    assert image.shape == (4, 6, 3)
    assert np.unique(image).tolist() == [77]


def test_transparency_shows_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], np.uint8)
    wanted = [[[10, 20, 30], [255, 255, 255], [204, 204, 204]]]  # 255 * (1 - 51 / 255) = 204
    assert read_image(encoded(PIL.Image.fromarray(rgba), "PNG")).tolist() == wanted
    assert read_image(encoded(PIL.Image.fromarray(rgba), "TIFF")).tolist() == wanted
    grey = PIL.Image.fromarray(np.array([[[9, 255], [9, 0]]], np.uint8), "LA" if _needs_mode() else None)
    assert read_image(encoded(grey, "PNG")).tolist() == [[[9] * 3, [255] * 3]]


def _needs_mode() -> bool:
    """Two bands mean grey and alpha from Pillow 11 on without being told."""
    return int(PIL.__version__.split(".")[0]) < 11


def test_transparent_colour_of_rgb_and_grey() -> None:
    rgb = PIL.Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert read_image(encoded(rgb, "PNG", transparency=(1, 2, 3))).tolist() == [[[255] * 3, [4, 5, 6]]]
    grey = PIL.Image.fromarray(np.array([[1, 2]], np.uint8))
    assert read_image(encoded(grey, "PNG", transparency=1)).tolist() == [[[255] * 3, [2] * 3]]


def palette_picture() -> PIL.Image.Image:
    picture = PIL.Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    picture.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250])
    return picture


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette(format: str) -> None:
    wanted = [[[250, 0, 0], [0, 250, 0], [0, 0, 250]]]
    assert read_image(encoded(palette_picture(), format)).tolist() == wanted


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 255])])
def test_palette_with_transparency(transparency: int | bytes) -> None:
    image = read_image(encoded(palette_picture(), "PNG", transparency=transparency))
    assert image.tolist() == [[[250, 0, 0], [255, 255, 255], [0, 0, 250]]]


def test_cmyk_and_ycbcr() -> None:
    cmyk = PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for format in ("JPEG", "TIFF"):
        np.testing.assert_allclose(read_image(encoded(cmyk, format)), np.tile((255, 0, 0), (16, 16, 1)), atol=3)
    ycbcr = PIL.Image.new("RGB", (16, 16), (200, 30, 90)).convert("YCbCr")
    np.testing.assert_allclose(read_image(ycbcr), np.tile((200, 30, 90), (16, 16, 1)), atol=2)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame(format: str) -> None:
    frames = [PIL.Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert np.unique(read_image(data).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_icon() -> None:
    data = encoded(PIL.Image.new("RGBA", (32, 32), (0, 0, 200, 255)), "ICO")
    assert read_image(data)[0, 0].tolist() == [0, 0, 200]


def test_pil_image_is_left_as_it_is() -> None:
    picture = palette_picture()
    read_image(picture)
    assert picture.mode == "P"


def test_arrays(rgb: NDArray[np.uint8]) -> None:
    image = read_image(rgb)
    np.testing.assert_array_equal(image, rgb)
    assert not np.shares_memory(image, rgb)
    np.testing.assert_array_equal(read_image(rgb[::-1, ::2]), rgb[::-1, ::2])
    np.testing.assert_array_equal(read_image(rgb[..., 0]), np.stack([rgb[..., 0]] * 3, axis=2))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4, 3)), "float64"),
        (np.zeros((4, 4, 3), np.uint16), "uint16"),
        (np.zeros((4, 4, 3), bool), "bool"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((3, 4, 4), np.uint8), r"\(3, 4, 4\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
    ],
)
def test_bad_arrays(array: NDArray[Any], words: str) -> None:
    with pytest.raises(SegNextError, match=words):
        read_image(array)


def test_other_types() -> None:
    with pytest.raises(SegNextError, match="from dict"):
        read_image({})  # type: ignore[arg-type]


def test_zero_size_pil_image() -> None:
    with pytest.raises(SegNextError, match="0 x 5: it has no pixels"):
        read_image(PIL.Image.new("RGB", (0, 5)))
