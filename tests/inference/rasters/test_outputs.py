"""Outputs of rasters: whole or not there, and never in the place of something else."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import shapely
from conftest import LABELS, picture
from raster_files import write_tiff
from rasterio.transform import Affine

from segnext.cli import main
from segnext.errors import SegNextError
from segnext.inference.rasters.geotiff import write_labels, write_shares
from segnext.inference.rasters.polygons import write_polygons
from segnext.inference.rasters.run import Outputs, segment_raster
from segnext.inference.rasters.source import RasterFile
from segnext.inference.segmenter import Segmenter
from segnext.inference.unfinished import joining


@contextmanager
def room(largest: int) -> Iterator[None]:
    """Within, no file can grow larger, as on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
@pytest.mark.parametrize("name", ["labels.tif", "shares.tif", "areas.gpkg", "areas.geojson", "areas.fgb"])
def test_a_byte_too_few_is_noticed(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    strips = [rng.integers(0, 4, (300, 700)).astype(np.uint8) for _ in range(4)]
    raster = RasterFile(write_tiff(tmp_path / "in.tif", np.zeros((1200, 700, 3), np.uint8)), None)
    boxes = [(number % 4, shapely.box(number, 0, number + 1, 1 + number)) for number in range(500)]
    writers: dict[str, Callable[[Path], object]] = {
        "labels": lambda file: write_labels(file, iter(strips), raster, LABELS, "run"),
        "shares": lambda file: write_shares(file, iter(strips), raster, ["one"], "run"),
        "areas": lambda file: write_polygons(file, boxes, Affine.identity(), None, LABELS),
    }
    file = tmp_path / name
    write = partial(writers[file.stem], file)
    with raster:
        write()
        content = file.read_bytes()
        for largest in (len(content) - 1, len(content) - 4000):
            file.unlink()
            with room(largest), pytest.raises(SegNextError, match=r"cannot be written .*; make room"):
                write()
            write()
            assert file.read_bytes() == content


def test_files_of_other_runs_are_not_taken_for_finished(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(64, 96))
    labels, areas = tmp_path / "labels.tif", tmp_path / "areas.gpkg"
    assert segment_raster(segmenter, raster, Outputs(labels, areas)) is not None
    assert segment_raster(segmenter, raster, Outputs(labels, areas)) is None
    foreign = tmp_path / "foreign.gpkg"
    foreign.write_text("somebody's")
    for outputs in (Outputs(labels, areas, simplify=2), Outputs(labels, foreign)):
        with pytest.raises(SegNextError, match=r"\.gpkg: is there already, from another run"):
            segment_raster(segmenter, raster, outputs)
    assert foreign.read_text() == "somebody's"


def test_what_cannot_be_written_is_said_before_the_work(segmenter: Segmenter, tmp_path: Path) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(64, 96))
    (tmp_path / "file").touch()
    with pytest.raises(SegNextError, match="file: cannot write the results there"):
        segment_raster(segmenter, raster, Outputs(tmp_path / "labels.tif", tmp_path / "file" / "areas.gpkg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "in.tif"]


def test_results_for_programs_take_no_other_files_place(
    weights_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raster = write_tiff(tmp_path / "in.tif", picture(64, 96))
    before = raster.read_bytes()
    command = ["predict", str(raster), "--weights", str(weights_file), "--engine", "torch"]
    for name in ("in.tif", "labels.tif"):
        out = ["--out", str(tmp_path / "labels.tif"), "--json", str(tmp_path / name)]
        assert main([*command, *out]) == 2
        assert f"{name}: is an input or another output; choose another file" in capsys.readouterr().err
    assert raster.read_bytes() == before
    assert main([*command, "--out", str(tmp_path / "labels.jp2")]) == 2
    assert "a raster's labels are written as .tif" in capsys.readouterr().err


def test_results_for_programs_are_told_of_what_is_finished(weights_file: Path, tmp_path: Path) -> None:
    ground = {"crs": "EPSG:32631", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
    raster = write_tiff(tmp_path / "in.tif", picture(600, 96), nodata=0, **ground)
    command = ["predict", str(raster), "--weights", str(weights_file), "--engine", "torch"]
    found = []
    for name in ("first.json", "again.json"):
        assert main([*command, "--out", str(tmp_path / "labels.tif"), "--json", str(tmp_path / name)]) == 0
        found.append({**json.loads((tmp_path / name).read_text()), "seconds": None})
    assert found[0] == found[1]


def test_a_folder_of_strips_that_goes_is_said(segmenter: Segmenter, tmp_path: Path) -> None:
    raster, out = write_tiff(tmp_path / "in.tif", picture(64, 96)), Outputs(tmp_path / "labels.tif")
    parts = tmp_path / ".labels.tif.parts"
    with pytest.raises(SegNextError, match=r"parts: was removed, with the strips; run the command again"):
        segment_raster(segmenter, raster, out, progress=lambda done, total: shutil.rmtree(parts))
    assert segment_raster(segmenter, raster, out) is not None


def test_what_a_run_killed_at_its_very_end_left_is_removed(segmenter: Segmenter, tmp_path: Path) -> None:
    raster, out = write_tiff(tmp_path / "in.tif", picture(64, 96)), Outputs(tmp_path / "labels.tif")
    parts, kept = tmp_path / ".labels.tif.parts", tmp_path / "kept"

    def keep(done: int, total: int) -> None:
        shutil.copytree(parts, kept)

    segment_raster(segmenter, raster, out, progress=keep)
    kept.rename(parts)
    assert segment_raster(segmenter, raster, out) is None
    assert not parts.exists()


def test_one_that_comes_late_leaves_nothing(tmp_path: Path) -> None:
    with joining(tmp_path / ".labels.tif.parts") as there:
        assert not there
    assert not list(tmp_path.iterdir())
