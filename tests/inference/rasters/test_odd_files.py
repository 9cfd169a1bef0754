"""Rasters as they come: called oddly, with files beside them, of few bits, transparent by palette, from anywhere."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import rasterio
from conftest import picture
from raster_files import write_tiff
from rasterio.crs import CRS
from rasterio.rpc import RPC
from rasterio.transform import Affine

from segnext.errors import SegNextError
from segnext.inference.rasters.run import Outputs, segment_raster
from segnext.inference.rasters.source import RasterFile
from segnext.inference.segmenter import Segmenter

EVERYTHING = slice(0, 64)
SOMEWHERE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize("name", ["zip:a.tif", "https:a.tif", "GTIFF_DIR:1:a.tif", "a?b#c!d.tif", "a\nb.tif", "noext"])
def test_names_that_gdal_takes_for_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    image = picture(64, 64)
    write_tiff(tmp_path / "a.tif", image).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with RasterFile(name, None) as raster:
        np.testing.assert_array_equal(raster.read(EVERYTHING, EVERYTHING)[0], image)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_no_text_are_a_sentence(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "a.tif", picture(64, 64))
    odd = tmp_path / os.fsdecode(b"\xff.tif")
    shutil.copy(raster, odd)
    for file, out in ((odd, tmp_path / "labels.tif"), (raster, tmp_path / os.fsdecode(b"\xfe.tif"))):
        with pytest.raises(SegNextError, match="is not valid UTF-8; rename it"):
            segment_raster(segmenter, file, Outputs(out))
    assert not list(tmp_path.glob(".*"))


def test_what_lies_beside_a_file_belongs_to_it(segmenter: Segmenter, tmp_path: Path) -> None:
    image = picture(64, 96)
    PIL.Image.fromarray(image).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("0.5\n0\n0\n-0.5\n500000.25\n4999999.75\n")
    (tmp_path / "a.png.aux.xml").write_text("<PAMDataset><SRS>EPSG:32631</SRS></PAMDataset>")
    out = Outputs(tmp_path / "labels.tif")
    segment_raster(segmenter, tmp_path / "a.png", out)
    with rasterio.open(out.labels) as labels:
        assert labels.crs == CRS.from_epsg(32631)
        assert labels.transform == SOMEWHERE
    mask = np.full((64, 96), 255, np.uint8)
    mask[:20] = 0
    file = write_tiff(tmp_path / "b.tif", image, transform=SOMEWHERE)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(file, "r+") as raster:
        raster.write_mask(mask)
    assert (tmp_path / "b.tif.msk").exists()
    with RasterFile(file, None) as raster:
        np.testing.assert_array_equal(raster.read(slice(0, 64), slice(0, 96))[1], mask > 0)


def test_what_refers_to_other_files_is_told_how_to_become_one(tmp_path: Path) -> None:
    (tmp_path / "a.vrt").write_text("<VRTDataset rasterXSize='64' rasterYSize='64'></VRTDataset>")
    with pytest.raises(SegNextError, match=r"other files, which are not followed: gdal_translate makes one \.tif"):
        RasterFile(tmp_path / "a.vrt", None)


def test_inks_are_read_as_colours(tmp_path: Path) -> None:
    image = picture(64, 64)
    inks = np.dstack([255 - image, np.zeros((64, 64, 1), np.uint8)])
    with RasterFile(write_tiff(tmp_path / "a.tif", inks, photometric="cmyk"), None) as raster:
        np.testing.assert_array_equal(raster.read(EVERYTHING, EVERYTHING)[0], image)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_black_to_white(tmp_path: Path, bits: int) -> None:
    grey = picture(64, 64)[..., 0] >> (8 - bits)
    file = write_tiff(tmp_path / "a.tif", grey[..., None], nbits=bits)
    with RasterFile(file, None) as raster:
        pixels, valid = raster.read(EVERYTHING, EVERYTHING)
    np.testing.assert_array_equal(pixels, np.rint(grey * (255 / (2**bits - 1)))[..., None].repeat(3, axis=2))
    assert valid.all()


def test_transparent_colours_of_a_palette_are_nodata(tmp_path: Path) -> None:
    image = PIL.Image.fromarray(picture(64, 64)).quantize(8)
    image.save(tmp_path / "a.png", transparency=bytes([255, 0, 0, 128, 255, 255, 255, 255]))
    with RasterFile(tmp_path / "a.png", None) as raster:
        pixels, valid = raster.read(EVERYTHING, EVERYTHING)
    np.testing.assert_array_equal(valid, ~np.isin(np.asarray(image), (1, 2)))
    np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))


def test_numbers_that_are_not_real_are_a_sentence(segmenter: Segmenter, tmp_path: Path) -> None:
    profile: dict[str, Any] = {"driver": "GTiff", "height": 8, "width": 8, "count": 1, "transform": SOMEWHERE}
    for kind in ("complex_int16", "complex64"):
        with rasterio.open(tmp_path / "a.tif", "w", **profile, dtype=kind):
            pass
        with pytest.raises(SegNextError, match=f"holds values of type {kind}; save real numbers"):
            segment_raster(segmenter, tmp_path / "a.tif", Outputs(tmp_path / "labels.tif"))


def test_pipes_and_folders_are_no_rasters(segmenter: Segmenter, tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match="a folder, pipe or device, not a raster"):
        segment_raster(segmenter, tmp_path, Outputs(tmp_path / "labels.tif"))


@pytest.mark.parametrize("crs", ['LOCAL_CS["site",UNIT["metre",1]]', "EPSG:4978"])
def test_coordinates_that_lie_nowhere_are_kept(segmenter: Segmenter, tmp_path: Path, crs: str) -> None:
    grid = {"crs": CRS.from_user_input(crs), "transform": Affine(1, 0, 0, 0, -1, 0)}
    file = write_tiff(tmp_path / "a.tif", picture(64, 64), **grid)
    out = Outputs(tmp_path / "labels.tif")
    summary = segment_raster(segmenter, file, out)
    assert summary is not None
    assert summary.square_metres is None
    with rasterio.open(out.labels) as labels, rasterio.open(file) as raster:
        assert (labels.crs, labels.transform) == (raster.crs, raster.transform)


def test_rational_polynomials_are_kept(segmenter: Segmenter, tmp_path: Path) -> None:
    names = ("line_num_coeff", "line_den_coeff", "samp_num_coeff", "samp_den_coeff")
    scales = {f"{name}_scale": 2.0 for name in ("height", "lat", "line", "long", "samp")}
    offsets = {f"{name}_off": 10.0 for name in ("height", "lat", "line", "long", "samp")}
    rpcs = RPC(**scales, **offsets, **{name: [1.0, *[0.0] * 19] for name in names}, err_bias=None, err_rand=None)
    file = write_tiff(tmp_path / "a.tif", picture(64, 64), rpcs=rpcs)
    out = Outputs(tmp_path / "labels.tif")
    segment_raster(segmenter, file, out)
    with rasterio.open(out.labels) as labels, rasterio.open(file) as raster:
        assert labels.rpcs is not None
        assert labels.rpcs.to_dict() == raster.rpcs.to_dict()
