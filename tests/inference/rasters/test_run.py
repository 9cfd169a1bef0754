"""Rasters to labels: the same whatever the strips, the processes and the interruptions."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from conftest import picture
from numpy.typing import NDArray
from raster_files import write_tiff
from rasterio.crs import CRS
from rasterio.transform import Affine

from segnext.errors import SegNextError
from segnext.inference.rasters import views
from segnext.inference.rasters.run import Outputs, segment_raster
from segnext.inference.rasters.views import turned
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter

GROUND = {"crs": CRS.from_epsg(32631), "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
SIZES = [(1, 1), (40, 61), (97, 211), (331, 70), (64, 128)]


def read(file: Path, band: int = 1) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a missing geotransform
        with rasterio.open(file) as raster:
            values: NDArray[np.uint8] = raster.read(band)
    return values


@pytest.mark.parametrize("size", SIZES)
def test_one_tile_is_the_whole_picture(segmenter: Segmenter, tmp_path: Path, size: tuple[int, int]) -> None:
    image = picture(*size)
    raster = write_tiff(tmp_path / "in.tif", image, **GROUND)
    out = Outputs(tmp_path / "labels.tif", confidence=tmp_path / "c.tif", probabilities=tmp_path / "p.tif")
    summary = segment_raster(segmenter, raster, out, tile=512)
    result = segmenter(image)
    np.testing.assert_array_equal(read(out.labels), result.mask)
    np.testing.assert_allclose(read(tmp_path / "c.tif") / 254, result.confidence, atol=0.002)
    np.testing.assert_allclose(read(tmp_path / "p.tif", 3) / 254, segmenter.probabilities(image)[2], atol=0.002)
    assert summary is not None
    assert summary.shares == pytest.approx(result.shares)
    assert summary.square_metres is not None
    assert sum(summary.square_metres.values()) == pytest.approx(size[0] * size[1] / 4, rel=2e-3)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("size", "overlap"), [((1, 1), 16), ((97, 211), 0), ((331, 70), 16), ((331, 70), 48)])
def test_strips_and_shares_do_not_change_a_byte(
    segmenter: Segmenter, tmp_path: Path, size: tuple[int, int], overlap: int
) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(*size), **GROUND)
    whole = Outputs(tmp_path / "whole.tif", tmp_path / "whole.gpkg", tmp_path / "c.tif")
    segment_raster(segmenter, raster, whole, tile=64, overlap=overlap)
    for processes in (2, 4):
        folder = tmp_path / str(processes)
        parts = Outputs(folder / "parts.tif", folder / "parts.gpkg", folder / "c.tif")
        done = [
            segment_raster(segmenter, raster, parts, tile=64, overlap=overlap, share=(number, processes))
            for number in reversed(range(processes))
        ]
        assert sum(summary is not None for summary in done) == 1
        assert not list(tmp_path.glob(".*"))
        for name, other in ((whole.labels, parts.labels), (whole.confidence, parts.confidence)):
            assert name is not None
            assert other is not None
            assert name.read_bytes() == other.read_bytes()


def test_grid_and_nodata_are_the_rasters(segmenter: Segmenter, tmp_path: Path) -> None:
    image = picture(150, 200) | 1
    image[:70] = 0
    image[100:110, 50:60, 1] = 0  # one channel of that value is a colour
    raster = write_tiff(tmp_path / "in.tif", image, nodata=0, **GROUND)
    out = Outputs(tmp_path / "labels.tif")
    summary = segment_raster(segmenter, raster, out, tile=64, overlap=16)
    with rasterio.open(out.labels) as labels, rasterio.open(raster) as source:
        assert (labels.crs, labels.transform, labels.shape) == (source.crs, source.transform, source.shape)
        assert labels.nodata == segmenter.labels.ignore
        assert labels.colormap(1)[1][:3] == segmenter.labels.colors[1]
        assert labels.tags()["CLASS_2"] == segmenter.labels.classes[2]
        missing = labels.read_masks(1) == 0
    np.testing.assert_array_equal(missing, (image == 0).all(2))
    assert summary is not None
    assert summary.measured == pytest.approx(80 / 150)
    assert sum(summary.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("how", ["mask", "alpha"])
def test_a_mask_or_transparency_is_nodata(segmenter: Segmenter, tmp_path: Path, how: str) -> None:
    image, mask = picture(90, 80), np.full((90, 80), 255, np.uint8)
    mask[20:40] = 0
    if how == "mask":
        raster = write_tiff(tmp_path / "in.tif", image, mask)
    else:
        raster = write_tiff(tmp_path / "in.tif", np.dstack([image, mask]), photometric="rgb", alpha="yes")
    out = Outputs(tmp_path / "labels.tif")
    segment_raster(segmenter, raster, out, tile=64, overlap=16)
    np.testing.assert_array_equal(read(out.labels) == segmenter.labels.ignore, mask == 0)


def test_nothing_measured_is_all_nodata(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", np.zeros((90, 80, 3), np.uint8), nodata=0)
    out = Outputs(tmp_path / "labels.tif", tmp_path / "areas.geojson")
    summary = segment_raster(segmenter, raster, out, tile=64, overlap=16)
    assert (read(out.labels) == segmenter.labels.ignore).all()
    assert summary is not None
    assert summary.measured == 0
    assert summary.square_metres is None


def test_tiles_that_are_nodata_are_not_looked_at(
    segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(64, 640) | 1
    image[:, 64:] = 0
    raster = write_tiff(tmp_path / "in.tif", image, nodata=0)
    seen = []
    real = views.looks

    def looks(*args: Any) -> Any:
        seen.append(1)
        return real(*args)

    monkeypatch.setattr("segnext.inference.rasters.strips.looks", looks)
    segment_raster(segmenter, raster, Outputs(tmp_path / "labels.tif"), tile=64, overlap=0)
    assert len(seen) == 1


def test_a_damaged_or_missing_strip_is_made_again(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(400, 70), **GROUND)
    whole = Outputs(tmp_path / "whole.tif")
    segment_raster(segmenter, raster, whole, tile=64, overlap=16)
    parts = Outputs(tmp_path / "parts.tif")
    assert segment_raster(segmenter, raster, parts, tile=64, overlap=16, share=(1, 2)) is None
    made = sorted((tmp_path / ".parts.tif.parts").glob("strip-*.npz"))
    made[1].unlink()
    content = bytearray(made[2].read_bytes())
    content[len(content) // 2] ^= 255
    made[2].write_bytes(content)
    segment_raster(segmenter, raster, parts, tile=64, overlap=16)
    assert parts.labels.read_bytes() == whole.labels.read_bytes()


def test_parts_of_other_settings_are_not_mixed(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(200, 70))
    out = Outputs(tmp_path / "labels.tif")
    segment_raster(segmenter, raster, out, tile=64, overlap=16, share=(0, 2))
    with pytest.raises(SegNextError, match=r"parts of a run with another input or other settings \(overlap\)"):
        segment_raster(segmenter, raster, out, tile=64, overlap=32)


@pytest.mark.long
def test_a_killed_run_goes_on(weights_file: Path, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(3000, 70), **GROUND)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "segnext",
        "predict",
        raster,
        "--weights",
        weights_file,
        "--engine",
        "torch",
    ]
    command += ["--tile", "64", "--overlap", "16", "--precision", "fp32"]
    subprocess.run([*command, "--out", tmp_path / "whole.tif"], check=True, capture_output=True)
    process = subprocess.Popen([*command, "--out", tmp_path / "cut.tif"], stdout=subprocess.DEVNULL)
    parts = tmp_path / ".cut.tif.parts"
    while process.poll() is None and len(list(parts.glob("strip-*"))) < 5:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut.tif").exists()
    assert len(list(parts.glob("strip-*"))) >= 5
    subprocess.run([*command, "--out", tmp_path / "cut.tif"], check=True, capture_output=True)
    assert (tmp_path / "cut.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert not parts.exists()


@pytest.mark.parametrize("view", range(8))
def test_views_are_turned_back(view: int) -> None:
    there, back = turned(view)
    x = np.random.default_rng(0).random((3, 5, 2)).astype(np.float32)
    np.testing.assert_array_equal(back(there(x)), x)


def test_mirror_images_and_scales_are_averaged(segmenter: Segmenter, tmp_path: Path) -> None:
    image = picture(64, 96)
    raster = write_tiff(tmp_path / "in.tif", np.hstack([image, image[:, ::-1]]))
    looking = Segmenter(segmenter.weights(), Runtime("torch", "cpu", "fp32"))
    looking.testing = dataclasses.replace(looking.testing, flip=True, scales=(1.0, 1.5))
    out = Outputs(tmp_path / "labels.tif")
    segment_raster(looking, raster, out, tile=512)
    labels = read(out.labels)
    assert (labels == labels[:, ::-1]).mean() > 0.99  # a picture that is its own mirror image


def test_a_raster_and_its_turned_copy_agree_in_all_views(segmenter: Segmenter, tmp_path: Path) -> None:
    image = picture(160, 96)
    labels = []
    for turns in range(4):
        raster = write_tiff(tmp_path / f"{turns}.tif", np.ascontiguousarray(np.rot90(image, turns)))
        out = Outputs(tmp_path / f"labels{turns}.tif")
        segment_raster(segmenter, raster, out, tile=64, overlap=32, d4=True)
        labels.append(np.rot90(read(out.labels), -turns))
        np.testing.assert_array_equal(segmenter.raster(raster, tile=64, overlap=32, d4=True)[:], read(out.labels))
    assert min((labels[0] == other).mean() for other in labels) > 0.99


@pytest.mark.parametrize(
    ("bands", "dtype", "words"),
    [
        (5, "uint8", "has 5 bands of type uint8, but these weights take pictures"),
        (3, "uint16", "of type uint16"),
        (2, "uint8", "gdal_translate -b 1 -ot Byte"),
    ],
)
def test_other_bands_are_refused(segmenter: Segmenter, tmp_path: Path, bands: int, dtype: str, words: str) -> None:
    raster = write_tiff(tmp_path / "in.tif", np.zeros((40, 40, bands), dtype))
    with pytest.raises(SegNextError, match=words):
        segment_raster(segmenter, raster, Outputs(tmp_path / "labels.tif"))
    assert not (tmp_path / "labels.tif").exists()


def test_a_cut_file_is_a_sentence_and_the_strips_stay(segmenter: Segmenter, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 64, 3), dtype=np.uint8)
    raster = write_tiff(tmp_path / "in.tif", noise, blockysize=16)
    whole = raster.read_bytes()
    raster.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SegNextError, match=r"in\.tif: cannot be read as a raster"):
        segment_raster(segmenter, raster, Outputs(tmp_path / "labels.tif"), tile=64, overlap=16)


def test_the_raster_is_not_written_over(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(40, 40))
    before = raster.read_bytes()
    with pytest.raises(SegNextError, match="is the raster itself"):
        segment_raster(segmenter, raster, Outputs(raster))
    assert raster.read_bytes() == before
    assert os.listdir(tmp_path) == ["in.tif"]  # noqa: PTH208


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"confidence": Path("c.png")}, r"c\.png: confidence is written as a GeoTIFF"),
        ({"probabilities": Path("p.npz")}, r"p\.npz: probabilities is written as a GeoTIFF"),
        ({"polygons": Path("a.shp")}, r"a\.shp: polygons are written as \.gpkg"),
        ({"polygons": Path("a.gpkg"), "simplify": -1.0}, "simplify is -1"),
        ({"polygons": Path("a.gpkg"), "simplify": float("nan")}, "simplify is nan"),
        ({"simplify": 2.0}, "needs a file for these"),
    ],
)
def test_outputs_that_cannot_be_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SegNextError, match=words):
        Outputs(Path("labels.tif"), **given)


def test_result_is_a_valid_cog(segmenter: Segmenter, tmp_path: Path) -> None:
    cogeo = pytest.importorskip("rio_cogeo", reason="rio-cogeo is not installed")
    raster = write_tiff(tmp_path / "in.tif", picture(1200, 700), **GROUND)
    out = Outputs(tmp_path / "labels.tif", probabilities=tmp_path / "p.tif")
    segment_raster(segmenter, raster, out)
    for file in (out.labels, out.probabilities):
        valid, errors, warnings = cogeo.cog_validate(file)
        assert (valid, errors, warnings) == (True, [], [])
