"""Every kind of image file becomes RGB; every bad one a sentence."""

import contextlib
import io
import logging
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import ImageOps, features
from raster_files import write_tiff

import segnext
from segnext import imageio, pillow
from segnext.bands import read_values
from segnext.errors import SegNextError
from segnext.imageio import read_image


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def encoded(picture: PIL.Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


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


def test_bad_paths(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    for path, words in {
        tmp_path / "missing.png": "no such file",
        tmp_path: "a folder",
        empty: "the file is empty",
        tmp_path / "nul\0.png": "cannot be opened",
        tmp_path / ("x" * 300): "cannot be opened",
        empty / "below": "cannot be opened",
    }.items():
        with pytest.raises(SegNextError, match=words) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_path_is_named_as_the_user_wrote_it() -> None:
    with pytest.raises(SegNextError, match=r"^\./missing\.png: no such file"):
        read_image("./missing.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SegNextError, match="not an image file"):
        read_image(tmp_path / "pipe.png")


def test_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.png"
    PIL.Image.new("RGB", (4, 4)).save(file)

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "open", refuse)  # a superuser may read files of any mode
    with pytest.raises(SegNextError, match=r"secret\.png: cannot be opened \(Permission denied\); .* permissions"):
        read_image(file)


@pytest.mark.parametrize(
    "content", [b"hello world", b"\0" * 5000, b"%PDF-1.4", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>"]
)
def test_not_an_image(content: bytes) -> None:
    with pytest.raises(SegNextError, match="not an image that can be read"):
        read_image(content)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "TGA", "PPM", "AVIF"])
def test_truncated_or_damaged_files_never_raise_anything_else(format: str) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    data = encoded(PIL.Image.fromarray(noise), format)
    random = np.random.default_rng(3)
    for length in [1, 7, 20, 60, len(data) // 2]:
        with pytest.raises(SegNextError) as caught:
            read_image(data[:length])
        assert "\n" not in str(caught.value)
    for _ in range(60):
        damaged = bytearray(data)
        for position in random.integers(0, min(len(data), 400), 4):
            damaged[position] = random.integers(0, 256)
        with contextlib.suppress(SegNextError):
            assert read_image(bytes(damaged)).dtype == np.uint8


def test_damaged_exif_is_no_reason_to_fail() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff" * 3
    data = encoded(PIL.Image.new("RGB", (8, 8), (0, 0, 255)), "JPEG", exif=exif)
    assert read_image(data).shape == (8, 8, 3)


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    packed = (struct.pack(">I", len(x)) + t + x + struct.pack(">I", zlib.crc32(t + x)) for t, x in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def bmp_header(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def float_tiff_header(width: int, height: int) -> bytes:
    tags = [(256, width), (257, height), (258, 32), (277, 3), (339, 3), (262, 2)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)


@pytest.mark.parametrize("header", [png_header, bmp_header, float_tiff_header])
@pytest.mark.parametrize("size", [(30_000, 20_000), (100_000, 100_000)])
def test_bomb_is_refused_from_its_header(header: Callable[[int, int], bytes], size: tuple[int, int]) -> None:
    with pytest.raises(SegNextError, match="more than 512 megapixels; cut it into pieces"):
        read_image(header(*size))


def test_limit_is_ours_and_pillows_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    data = encoded(PIL.Image.new("RGB", (8, 8)), "PNG")
    assert read_image(data).shape == (8, 8, 3)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10
    monkeypatch.setattr(pillow, "MAX_PIXELS", 63)
    with pytest.raises(SegNextError, match="8 x 8 pixels are more than"):
        read_image(data)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def test_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise MemoryError

    data = encoded(PIL.Image.new("RGB", (8, 8)), "PNG")
    monkeypatch.setattr(imageio, "_to_rgb", refuse)
    with pytest.raises(SegNextError, match="does not fit in memory"):
        read_image(data)


def test_messages_of_pillow_stay_off_the_terminal(tmp_path: Path) -> None:
    """Warnings, even as errors, and log records, which without handlers go to stderr."""
    assert logging.getLogger("PIL").handlers
    odd = float_tiff_header(8, 8)  # more samples than Pillow knows: an error in its log
    (tmp_path / "odd.tiff").write_bytes(odd)
    picture = PIL.Image.new("RGB", (8, 8))
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\xf0\xf0\0\0\0\0\0\0"
    picture.save(tmp_path / "exif.jpg", exif=exif)
    code = (
        "import sys; from segnext.imageio import read_image\n"
        "from segnext.errors import SegNextError\n"
        "for name in sys.argv[1:]:\n"
        "    try: read_image(name)\n"
        "    except SegNextError: print('refused', end=' ')\n"
        "    else: print('read', end=' ')\n"
    )
    files = [str(tmp_path / "odd.tiff"), str(tmp_path / "exif.jpg")]
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, *files], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["refused", "read"], "")


@pytest.mark.parametrize("band", ["near infrared", "two levels", "edge", "constant"])
def test_a_last_band_that_is_no_transparency_is_refused(tmp_path: Path, band: str) -> None:
    """GDAL tags any fourth band of 8 bits as alpha."""
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (32, 32, 4), np.uint8)
    if band == "two levels":
        values[..., 3] = np.where(values[..., 3] < 100, 40, 200)
    elif band == "edge":
        values[..., 3] = 0
        values[:, 16:, 3] = 255
        values[:, 15, 3] = random.integers(0, 256, 32)
    elif band == "constant":
        values[..., 3] = 200
    path = write_tiff(tmp_path / "a.tif", values)
    if band in ("edge", "constant"):
        assert read_image(path).shape == (32, 32, 3)
    else:
        with pytest.raises(SegNextError, match=r"a\.tif: has 4 bands, .* no transparency; .*'bands: \[red, green"):
            read_image(path)


def test_what_a_float_raster_calls_not_measured_does_not_stretch_it(tmp_path: Path) -> None:
    values = np.linspace(100, 1100, 64, dtype=np.float32).reshape(8, 8, 1)
    values[0, 0, 0] = -9999
    write_tiff(tmp_path / "a.tif", values, nodata=-9999)
    image = read_image(tmp_path / "a.tif")
    assert image[0, 0, 0] == 0
    assert np.ptp(image[..., 0]) == 255
    assert int(image[3, 7, 0]) == pytest.approx(122, abs=4)


def test_pipes_and_formats_that_start_programs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SegNextError, match=r"pipe\.png: a folder, pipe or device"):
        read_image(tmp_path / "pipe.png")
    (tmp_path / "a.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(SegNextError, match=r"a\.png: not an image that can be read"):
        read_image(tmp_path / "a.png")


def test_pillow_opens_files_in_one_place_alone() -> None:
    """And there with a list of formats; elsewhere only with one format, for what the package itself has drawn."""
    root = Path(segnext.__file__).parent
    for file in root.rglob("*.py"):
        calls = re.findall(r"Image\.open\((.*)\)", file.read_text(encoding="utf-8"))
        assert all("formats=" in call for call in calls), file


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_a_header_that_promises_more_than_the_file_can_hold(kind: str, rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    content = encoded(PIL.Image.fromarray(rgb), kind)
    head = b"IHDR" + struct.pack(">II", 20_000, 20_000) + content[24:29]
    large = {
        "PNG": content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:],
        "BMP": content[:18] + struct.pack("<ii", 20_000, 20_000) + content[26:],
        "PPM": content.replace(b"13 9", b"20000 20000"),
    }.get(kind)
    if large is None:  # the tags of width and height, in the order of their numbers
        tags = PIL.TiffImagePlugin.ImageFileDirectory_v2(content[:8])
        stream = io.BytesIO(content)
        stream.seek(tags.next)
        tags.load(stream)
        place = content.index(struct.pack("<HHI", 257, 4, 1))
        large = content[: place + 8] + struct.pack("<I", 20_000_000) + content[place + 12 :]
    (tmp_path / "a.img").write_bytes(large)
    for read in (read_image, read_values):
        with pytest.raises(SegNextError, match=r"bytes cannot hold|damaged"):
            read(tmp_path / "a.img")


@pytest.mark.parametrize(("kind", "package"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")])
def test_formats_of_packages_beside_pillow(kind: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = pytest.importorskip(package, reason=f"the package {package} is not installed")
    values = np.zeros((32, 48, 3), np.uint8)
    values[:, 24:] = (200, 100, 50)
    if kind == "HEIF":
        plugin.register_heif_opener()
    content = encoded(PIL.Image.fromarray(values), kind, quality=95)
    assert np.abs(read_image(content)[:, [4, 40]].astype(int) - values[:, [4, 40]]).max() < 8
    monkeypatch.setitem(sys.modules, package, None)
    message = r"picture, for which a package is missing; pip install 'segnext\[heif\]', or convert"
    with pytest.raises(SegNextError, match=message):
        read_image(content)
