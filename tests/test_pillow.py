"""Files that Pillow opens: paths, damaged ones, bombs, formats of other packages."""

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

import numpy as np
import PIL.Image
import pytest
from conftest import encoded, picture
from PIL import features

import segnext
from segnext import imageio, pillow
from segnext.bands import read_values
from segnext.data.masks import open_mask
from segnext.errors import SegNextError
from segnext.imageio import read_image


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
    with pytest.raises(SegNextError, match="cannot be read as a mask: the file is empty"), open_mask(empty):
        pass


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
def test_a_header_that_promises_more_than_the_file_can_hold(kind: str, tmp_path: Path) -> None:
    content = encoded(PIL.Image.fromarray(picture(9, 13)), kind)
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
