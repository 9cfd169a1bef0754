"""Rasters of any kind of values, any number of bands, any shape, from a network, onto a disk that fills up."""

import re
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from conftest import CONFIG, picture, weights_like
from raster_files import write_tiff
from rasterio.crs import CRS
from rasterio.transform import Affine

from segnext.cli import main
from segnext.errors import SegNextError
from segnext.inference.rasters.run import Outputs, segment_raster
from segnext.inference.rasters.source import RasterFile
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.preprocess import Bands, Preprocess

GROUND = {"crs": CRS.from_epsg(32631), "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
PLAIN = Runtime("torch", "cpu", "fp32")


@pytest.mark.parametrize(
    ("count", "dtype"), [(1, "uint8"), (2, "int16"), (4, "uint16"), (5, "float32"), (7, "uint8"), (12, "float64")]
)
def test_any_bands_of_any_type(tmp_path: Path, count: int, dtype: str) -> None:
    names = tuple(f"b{number}" for number in range(count))
    preprocess = Preprocess((100.0,) * count, (50.0,) * count, None, Bands(names, names, None, dtype))
    segmenter = Segmenter(weights_like(replace(CONFIG, in_channels=count), preprocess), PLAIN)
    values = np.random.default_rng(0).uniform(1, 250, (70, 90, count)).astype(dtype)
    values[10:20, 30:50] = 0
    raster = write_tiff(tmp_path / "in.tif", values, nodata=0, **GROUND)
    out = Outputs(tmp_path / "labels.tif")
    segment_raster(segmenter, raster, out, tile=64, overlap=32)
    with rasterio.open(out.labels) as labels:
        np.testing.assert_array_equal(labels.read_masks(1) == 0, (values == 0).all(2))
        assert labels.crs == GROUND["crs"]
    more = write_tiff(tmp_path / "more.tif", np.dstack([values, values]))
    with pytest.raises(SegNextError, match=rf"has {2 * count} bands?, but {count} band"):
        segment_raster(segmenter, more, Outputs(tmp_path / "other.tif"))


@pytest.mark.parametrize("size", [(1, 300), (7, 5), (127, 131), (2000, 20)])
def test_odd_shapes_are_those_of_the_input(segmenter: Segmenter, tmp_path: Path, size: tuple[int, int]) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(*size))
    out = Outputs(tmp_path / "labels.tif", tmp_path / "areas.gpkg")
    summary = segment_raster(segmenter, raster, out, tile=64, overlap=32)
    assert summary is not None
    assert (summary.height, summary.width, summary.measured) == (*size, 1)
    assert summary.square_metres is None


@pytest.mark.long
@pytest.mark.parametrize("size", [(20_000, 200), (200, 20_000)])
def test_long_and_narrow_rasters(segmenter: Segmenter, tmp_path: Path, size: tuple[int, int]) -> None:
    short = picture(*(min(side, 2000) for side in size))
    image = np.tile(short, (size[0] // short.shape[0], size[1] // short.shape[1], 1))
    raster = write_tiff(tmp_path / "in.tif", image, **GROUND)
    out = Outputs(tmp_path / "labels.tif")
    summary = segment_raster(segmenter, raster, out)
    assert summary is not None
    assert (summary.height, summary.width, summary.measured) == (*size, 1)
    with rasterio.open(out.labels) as labels:
        found = labels.read(1)
    end = 250  # pixels at the end, which the last tile alone sees
    part = write_tiff(tmp_path / "part.tif", np.ascontiguousarray(image[-512:, -512:]), **GROUND)
    alone = Outputs(tmp_path / "part_labels.tif")
    segment_raster(segmenter, part, alone)
    with rasterio.open(alone.labels) as labels:
        expected = labels.read(1)
    assert found.shape == size
    assert (found[-end:, -end:] == expected[-end:, -end:]).mean() > 0.99


def test_a_constant_raster_is_of_one_kind(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", np.full((192, 256, 3), 120, np.uint8), **GROUND)
    out = Outputs(tmp_path / "labels.tif")
    segment_raster(segmenter, raster, out, tile=64, overlap=32)
    with rasterio.open(out.labels) as labels:
        inner = labels.read(1)[32:-32, 32:-32]
    assert np.bincount(inner.ravel()).max() > 0.5 * inner.size


@pytest.mark.parametrize("ground", [GROUND, {}])
def test_the_command_says_where_polygons_lie(
    weights_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ground: dict[str, Any]
) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(64, 96), **ground)
    files = ["--out", str(tmp_path / "labels.tif"), "--polygons", str(tmp_path / "areas.geojson")]
    assert main(["predict", str(raster), "--weights", str(weights_file), "--engine", "torch", *files]) == 0
    said = capsys.readouterr().out
    assert ("m2" in said, "no coordinate system" in said) == (bool(ground), not ground)


def test_unpacked_blocks_are_kept(tmp_path: Path) -> None:
    image = picture(128, 128)
    raster = write_tiff(tmp_path / "in.tif", image, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    with RasterFile(raster, None) as file:
        first, _ = file.read(slice(0, 128), slice(0, 128))
        raster.write_bytes(bytes(raster.stat().st_size))  # what is read again comes from memory
        again, _ = file.read(slice(32, 96), slice(32, 96))
    np.testing.assert_array_equal(again, first[32:96, 32:96])


class Ranges(SimpleHTTPRequestHandler):
    """Answers requests for parts of a file, as those do that hold large rasters."""

    def do_GET(self) -> None:
        """Answer."""
        content = (Path(self.directory) / self.path.lstrip("/")).read_bytes()
        first, last = 0, len(content) - 1
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content[first : last + 1])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class Server:
    """Serves a folder on localhost."""

    def __init__(self, folder: Path) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{name}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """GDAL asks a server that does not answer only once."""
    from segnext.inference.rasters import source

    monkeypatch.setitem(source.ENVIRONMENT, "GDAL_HTTP_MAX_RETRY", 0)


@pytest.mark.usefixtures("impatient")
def test_an_address_is_read_like_a_file(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(150, 200), **GROUND)
    server = Server(tmp_path)
    local, remote = Outputs(tmp_path / "local.tif"), Outputs(tmp_path / "remote.tif")
    segment_raster(segmenter, raster, local, tile=64, overlap=32)
    segment_raster(segmenter, server.address("in.tif"), remote, tile=64, overlap=32)
    server.stop()
    with rasterio.open(local.labels) as one, rasterio.open(remote.labels) as other:
        np.testing.assert_array_equal(one.read(), other.read())
        assert one.transform == other.transform


@pytest.mark.usefixtures("impatient")
def test_a_network_that_goes_away_is_a_sentence_and_strips_stay(segmenter: Segmenter, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3000, 700, 3), np.uint8)
    write_tiff(tmp_path / "in.tif", noise, tiled=True, blockxsize=64, blockysize=64)
    server = Server(tmp_path)
    out = Outputs(tmp_path / "labels.tif")

    def stop(done: int, total: int) -> None:
        if done == 3:
            server.stop()

    with pytest.raises(SegNextError, match=r"cannot be read as a raster.*check the address and the network") as error:
        segment_raster(segmenter, server.address("in.tif"), out, tile=128, overlap=32, progress=stop)
    assert "\n" not in str(error.value)
    assert len(list((tmp_path / ".labels.tif.parts").glob("strip-*"))) >= 3


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
def test_a_disk_that_fills_up_is_a_sentence_and_strips_stay(
    weights_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import resource

    raster = write_tiff(tmp_path / "in.tif", picture(900, 300), **GROUND)
    out = tmp_path / "labels.tif"
    options = ["--weights", str(weights_file), "--engine", "torch", "--precision", "fp32", "--tile", "128"]
    command = ["predict", str(raster), "--out", str(out), *options, "--overlap", "32"]
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, unlimited[1]))
    try:
        assert main(command) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    *others, said = capfd.readouterr().err.splitlines()
    assert said.startswith("segnext predict: ")
    assert "make room" in said
    assert all("File too large" in line for line in others)  # libtiff's own words
    kept = len(list((tmp_path / ".labels.tif.parts").glob("strip-*")))
    assert not out.exists()
    assert kept > 0
    assert main(command) == 0
    assert out.exists()
