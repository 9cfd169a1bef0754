"""Files read band by band, in their own units."""

import io
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from raster_files import write_tiff

from segnext.bands import bands_from_dict, composite, picture_size, read_bands, read_picture, read_values
from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.preprocess import Bands

RGBN = ("red", "green", "blue", "nir")


def named(*names: str, **changes: Any) -> Bands:
    return Bands(names, **{"chosen": names, **changes})


def noise(height: int, width: int, bands: int, dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(bands).integers(1, 60_000, (height, width, bands)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 4, 13])
def test_tiffs_of_any_bands_and_numbers(tmp_path: Path, dtype: str, count: int) -> None:
    values = noise(9, 11, count, dtype)
    file = write_tiff(tmp_path / "a.tif", values)
    raster = read_bands(file, named(*(f"b{n}" for n in range(count))))
    assert raster.dtype == np.float32
    assert np.array_equal(raster, values.astype(np.float32))
    assert np.array_equal(read_bands(file.read_bytes(), named(*"abcdefghijklm"[:count])), raster)


@pytest.mark.parametrize("options", [{"tiled": True, "blockxsize": 16, "blockysize": 16}, {"interleave": "pixel"}])
def test_layouts_inside_a_tiff(tmp_path: Path, options: dict[str, Any]) -> None:
    values = noise(40, 37, 4)
    file = write_tiff(tmp_path / "a.tif", values, compress="deflate", bigtiff="yes", **options)
    assert np.array_equal(read_bands(file, named(*RGBN)), values.astype(np.float32))


def test_chosen_bands_come_in_the_order_asked_for(tmp_path: Path) -> None:
    values = noise(5, 6, 4)
    file = write_tiff(tmp_path / "a.tif", values)
    raster = read_bands(file, named(*RGBN, chosen=("nir", "red")))
    assert np.array_equal(raster, values[..., [3, 0]].astype(np.float32))


def test_what_was_not_measured_is_nan(tmp_path: Path) -> None:
    values = np.array([[[1, 2], [7, 9]], [[5, 7], [9, 9]]], np.uint16)
    declared = read_bands(write_tiff(tmp_path / "a.tif", values, nodata=7), named("a", "b"))
    assert np.isnan(declared).tolist() == [[[False, False], [True, False]], [[False, True], [False, False]]]
    also_nine = read_bands(tmp_path / "a.tif", named("a", "b", nodata=9.0))
    assert np.isnan(also_nine).tolist() == [[[False, False], [True, True]], [[False, True], [True, True]]]
    floats = np.array([[[np.nan, 1.0], [np.inf, 2.0]]], np.float32)
    found = read_bands(write_tiff(tmp_path / "f.tif", floats), named("a", "b"))
    assert np.isnan(found).tolist() == [[[True, False], [True, False]]]


def test_a_fourth_band_of_8_bits_is_no_transparency(tmp_path: Path) -> None:
    values = noise(5, 6, 4, "uint8")
    values[0, 0] = (9, 8, 7, 0)  # GDAL calls the fourth band alpha, under which nothing would be measured
    assert read_bands(write_tiff(tmp_path / "a.tif", values), named(*RGBN))[0, 0].tolist() == [9, 8, 7, 0]


def test_a_mask_inside_the_file(tmp_path: Path) -> None:
    mask = np.array([[255, 0, 255], [255, 255, 0]], np.uint8)
    file = write_tiff(tmp_path / "a.tif", noise(2, 3, 2), mask)
    missing = np.isnan(read_bands(file, named("a", "b")))
    assert missing[..., 0].tolist() == missing[..., 1].tolist() == [[False, True, False], [False, False, True]]


def png(values: NDArray[Any]) -> bytes:
    """Encode OpenCV's band order: grey, BGR or BGRA."""
    done, encoded = cv2.imencode(".png", values)
    assert done
    return encoded.tobytes()


def test_16_bit_pngs_keep_their_bits() -> None:
    grey, color, alpha = (noise(7, 8, count) for count in (1, 3, 4))
    assert np.array_equal(read_bands(png(grey), named("grey")), grey.astype(np.float32))
    assert np.array_equal(read_bands(png(color), named("r", "g", "b"))[..., ::-1], color.astype(np.float32))
    assert np.array_equal(read_bands(png(alpha), named(*RGBN))[..., [2, 1, 0, 3]], alpha.astype(np.float32))
    assert read_values(png(color))[0].dtype == np.uint16


def test_8_bit_pictures_have_the_channels_they_store() -> None:
    rgb = noise(4, 5, 3, "uint8")
    for mode, count in {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "1": 1}.items():
        picture = PIL.Image.fromarray(rgb).convert(mode)
        values = read_values(picture)[0]
        assert values.shape == (4, 5, count)
        assert values.dtype == np.uint8
    palette = PIL.Image.fromarray(np.array([[0, 1]], np.uint8))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert read_values(palette)[0].tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_pictures_are_turned_as_exif_says() -> None:
    file, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x0112] = 6
    picture = PIL.Image.fromarray(noise(4, 6, 1, "uint8")[..., 0])
    picture.save(file, format="PNG", exif=exif)
    raster = read_bands(file.getvalue(), named("grey"))
    assert np.array_equal(raster[..., 0], read_image(file.getvalue())[..., 0].astype(np.float32))
    assert raster.shape == (6, 4, 1)


def test_arrays_and_pictures_in_memory() -> None:
    values = noise(4, 5, 4)
    assert np.array_equal(read_bands(values, named(*RGBN)), values.astype(np.float32))
    assert read_bands(values[..., 0], named("grey")).shape == (4, 5, 1)
    with pytest.raises(SegNextError, match=r"the array is complex64 of shape \(2, 2\); give H x W x bands"):
        read_bands(np.zeros((2, 2), np.complex64), named("grey"))
    with pytest.raises(SegNextError, match=r"of shape \(0, 2\); give"):
        read_bands(np.zeros((0, 2)), named("grey"))


def test_other_bands_and_depths_are_refused(tmp_path: Path) -> None:
    file = write_tiff(tmp_path / "a.tif", noise(5, 6, 4))
    with pytest.raises(SegNextError, match=r"a\.tif: has 4 bands, but 1 band \(grey\) are expected"):
        read_bands(file, named("grey"))
    with pytest.raises(SegNextError, match=r"a\.tif: holds values of type uint16, training had uint8"):
        read_bands(file, named(*RGBN, dtype="uint8"))
    assert read_bands(file, named(*RGBN, dtype="float32")).shape == (5, 6, 4)  # the same units may be meant


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    whole = write_tiff(tmp_path / "a.tif", noise(64, 64, 4)).read_bytes()
    deep = png(noise(64, 64, 3))
    cases = {
        "cut.tif": (whole[:9000], "damaged, incomplete or of an unknown kind"),
        "head.tif": (whole[:8], "damaged, incomplete or of an unknown kind"),
        "cut.png": (deep[: len(deep) // 2], "damaged, incomplete or of an unknown kind"),
        "text.tif": (b"no picture", "not an image that can be read"),
        "empty.tif": (b"", "the file is empty"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SegNextError, match=f"{name}: {message}") as raised:
            read_bands(tmp_path / name, named(*RGBN))
        assert "\n" not in str(raised.value)
    with pytest.raises(SegNextError, match=r"nowhere\.tif: no such file"):
        read_bands(tmp_path / "nowhere.tif", named(*RGBN))


def test_without_rasterio_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_tiff(tmp_path / "a.tif", noise(5, 6, 4))
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(SegNextError, match=r"a\.tif: .* needs rasterio; install it with pip install 'segnext\[raster"):
        read_bands(file, named(*RGBN))
    assert read_bands(png(noise(4, 4, 1)), named("grey")).shape == (4, 4, 1)  # which needs none


def test_pictures_go_by_the_preprocessing(tmp_path: Path) -> None:
    file = write_tiff(tmp_path / "a.tif", noise(5, 6, 1))
    assert read_picture(file, None).dtype == np.uint8
    assert read_picture(file, named("grey")).shape == (5, 6, 1)


def test_sizes_of_pictures_of_both_kinds(tmp_path: Path) -> None:
    assert picture_size(write_tiff(tmp_path / "a.tif", noise(5, 6, 7))) == (5, 6)
    assert picture_size(PIL.Image.new("RGBA", (4, 3))) == (3, 4)
    (tmp_path / "b.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:300])
    with pytest.raises(SegNextError, match=r"b\.tif: "):
        picture_size(tmp_path / "b.tif")


def test_dataset_yaml_names_the_bands() -> None:
    assert bands_from_dict({}, "d") is None
    assert bands_from_dict({"bands": ["red", 8]}, "d") == Bands(("red", "8"), ("red", "8"))
    assert bands_from_dict({"bands": ["a"], "nodata": 0}, "d") == Bands(("a",), ("a",), 0.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"bands": 4}, "d: 'bands' is 4; list the names"),
        ({"bands": []}, "list the names"),
        ({"bands": ["a", "a"]}, "each once"),
        ({"bands": ["a"], "nodata": "none"}, "d: 'nodata' is 'none'; it must be the number"),
        ({"nodata": 0}, "d: has 'nodata' but no 'bands'"),
    ],
)
def test_bands_that_cannot_be(content: dict[str, Any], message: str) -> None:
    with pytest.raises(SegNextError, match=message):
        bands_from_dict(content, "d")


def test_the_composite_is_for_people() -> None:
    raster = np.zeros((1, 101, 4), np.float32)
    raster[0, :, 2] = np.arange(101) * 10  # the band named red
    raster[0, 0, 2] = np.nan
    picture = composite(raster, named("nir", "blue", "Red", "G", dtype="uint16"))
    assert picture.dtype == np.uint8
    # Of all 302 values the 2nd percentile is 0, the 98th 10 * (0.98 * 301 - 202 + 1) = 939.8.
    assert picture[0, [0, 1, 51, 90, 100], 0].tolist() == [0, 3, 138, 244, 255]
    assert picture[..., 1:].max() == 0
    # By itself, red goes from 10 + 0.02 * 990 = 29.8 to 980.2.
    alone = composite(raster, named("nir", "blue", "swir", "green", dtype="uint16"))
    assert alone[0, [0, 1, 51, 90, 100], 2].tolist() == [0, 0, 129, 233, 255]
    assert np.all(alone[..., :2] == 128)  # of one value everywhere
    eight = np.full((2, 2, 1), 77, np.float32)
    assert np.all(composite(eight, named("grey", dtype="uint8")) == 77)
    assert composite(np.full((2, 2, 2), np.nan, np.float32), named("a", "b", dtype="float32")).max() == 0


def test_what_has_no_path_is_called_as_the_caller_says() -> None:
    with pytest.raises(SegNextError, match=r"^-: not an image"):
        read_picture(b"no picture", named("grey"), "-")
    with pytest.raises(SegNextError, match=r"^-: .*bands"):
        read_picture(png(noise(4, 4, 1)), named("a", "b"), "-")
    with pytest.raises(SegNextError, match=r"^-: not an image"):
        read_picture(b"no picture", None, "-")
