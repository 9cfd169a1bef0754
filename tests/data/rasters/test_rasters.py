"""Training on windows of rasters: what they hold, whatever says where the classes are, and what is found wrong."""

import json
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import TINY, picture
from numpy.typing import NDArray

pytest.importorskip("rasterio", reason="needs segnext[raster]")

import pyogrio
import shapely
from raster_files import write_tiff
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform, transform_geom

from segnext.cli import main
from segnext.data.crops import Crops
from segnext.data.doctor.rasters import judge_rasters
from segnext.data.formats.public.open import open_data
from segnext.data.rasters.split import Rasters
from segnext.data.transforms import Augment
from segnext.errors import SegNextError
from segnext.gdal import to_ground
from segnext.model.config import PRESETS
from segnext.preprocess import Preprocess

UTM = CRS.from_epsg(32631)
GRID = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
CLASSES = ["ground", "field", "house"]


def write_set(folder: Path, sources: dict[str, list[dict[str, Any]]], **more: Any) -> Rasters:
    content = {"name": "land", "classes": CLASSES, "ignore": 255, "rasters": sources, "block": 64, **more}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    data = open_data(folder)
    assert isinstance(data, Rasters)
    return data


def write_polygons(file: Path, shapes: list[Any], names: list[str], crs: str | None = "EPSG:32631") -> Path:
    """Shapes in pixels of GRID."""
    places = [shapely.transform(shape, partial(to_ground, GRID)) for shape in shapes]
    if crs == "EPSG:4326":
        places = [shapely.geometry.shape(transform_geom(UTM, crs, shape)) for shape in places]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.raw.write(
            file,
            geometry=np.array(shapely.to_wkb(places), object),
            field_data=[np.array(names, object)],
            fields=["kind"],
            geometry_type="Polygon",
            crs=crs,
            driver={".gpkg": "GPKG", ".geojson": "GeoJSON"}[file.suffix],
        )
    return file


def put_together(data: Rasters, split: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    whole = np.full(size, 77, np.uint8)
    for pair in data.pairs(split):
        assert pair.window is not None
        pair.window.cut(whole)
        top, left = pair.window.top, pair.window.left
        whole[top : top + pair.window.height, left : left + pair.window.width] = pair.read_mask(data.labels)
    return whole


@pytest.fixture
def truth() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 3, (150, 200), np.uint8).repeat(1, 0)


def test_windows_of_a_raster_of_labels(tmp_path: Path, truth: NDArray[np.uint8]) -> None:
    image = picture(150, 200)
    write_tiff(tmp_path / "a.tif", image, crs=UTM, transform=GRID)
    write_tiff(tmp_path / "l.tif", truth[..., None], crs=UTM, transform=GRID)
    data = write_set(tmp_path, {split: [{"image": "a.tif", "labels": "l.tif"}] for split in ("train", "val")})
    np.testing.assert_array_equal(put_together(data, "val", truth.shape), truth)
    assert (len(data.pairs("val")), len(data.pairs("train"))) == (12, 24)
    for pair in data.pairs("train"):
        assert pair.window is not None
        np.testing.assert_array_equal(pair.read_image(), pair.window.cut(image))
    (leak,) = judge_rasters(data, data.splits())
    assert leak.code == "raster-leakage"


@pytest.mark.parametrize("name", ["p.gpkg", "p.geojson"])
def test_polygons_are_burnt_on_the_fly(tmp_path: Path, name: str) -> None:
    write_tiff(tmp_path / "a.tif", picture(150, 200), crs=UTM, transform=GRID)
    shapes = [shapely.box(10, 20, 90, 100), shapely.box(60, 60, 130, 140)]
    write_polygons(tmp_path / name, shapes, ["field", "house"], "EPSG:4326" if name == "p.geojson" else "EPSG:32631")
    source = {"image": "a.tif", "polygons": name, "attribute": "kind", "background": "ground"}
    expected = np.zeros((150, 200), np.uint8)
    expected[20:100, 10:90], expected[60:140, 60:130] = 1, 2
    data = write_set(tmp_path, {"val": [source]})
    np.testing.assert_array_equal(put_together(data, "val", expected.shape), expected)
    data = write_set(tmp_path, {"val": [{**source, "buffer": 1.0}]})
    buffered = put_together(data, "val", expected.shape)
    assert (buffered[18:22, 30:60] == 255).all()
    assert (buffered[17, 30:60] == 0).all()
    assert (buffered[22, 30:60] == 1).all()
    np.testing.assert_array_equal(buffered[buffered != 255], expected[buffered != 255])
    assert judge_rasters(data, data.splits()) == []


def test_splits_by_region_share_no_pixel(tmp_path: Path, truth: NDArray[np.uint8]) -> None:
    write_tiff(tmp_path / "a.tif", picture(150, 200), crs=UTM, transform=GRID)
    write_tiff(tmp_path / "l.tif", truth[..., None], crs=UTM, transform=GRID)
    write_polygons(tmp_path / "r.geojson", [shapely.box(0, 0, 80, 150)], ["x"])
    source = {"image": "a.tif", "labels": "l.tif"}
    data = write_set(
        tmp_path, {"train": [{**source, "outside": "r.geojson"}], "val": [{**source, "inside": "r.geojson"}]}
    )
    learnt, measured = (put_together(data, split, truth.shape) for split in ("train", "val"))
    assert (measured[:, :80] == truth[:, :80]).all()
    assert (learnt[:, 80:] == truth[:, 80:]).all()
    assert set(np.unique(measured[:, 80:])) <= {255, 77}
    assert set(np.unique(learnt[:, :80])) <= {255, 77}
    assert judge_rasters(data, data.splits()) == []


@pytest.mark.parametrize(
    ("shift", "measured_in", "learnt", "measured", "leaks"),
    [
        (0, UTM, {}, {}, True),
        (199, UTM, {}, {}, True),  # by a column
        (200, UTM, {}, {}, False),  # neighbours
        (0, CRS.from_epsg(32632), {}, {}, True),
        (400, CRS.from_epsg(32632), {}, {}, False),
        (0, UTM, {"outside": "r.geojson"}, {"inside": "r.geojson"}, False),
        (33, CRS.from_epsg(32632), {"outside": "r.geojson"}, {"inside": "r.geojson"}, False),
        (33, CRS.from_epsg(32632), {"outside": "r.geojson"}, {}, True),
    ],
)
def test_ground_of_two_rasters_that_is_trained_and_measured_on_is_found(
    tmp_path: Path, shift: int, measured_in: CRS, learnt: dict[str, str], measured: dict[str, str], leaks: bool
) -> None:
    """Pictures of the same place at two times, say; the second begins `shift` columns later."""
    place = GRID @ Affine.translation(shift, 0)
    if measured_in != UTM:
        (left,), (top,) = transform(UTM, measured_in, [place.c], [place.f])
        place = Affine(0.5, 0, left, 0, -0.5, top)
    for name, crs, grid in (("a", UTM, GRID), ("b", measured_in, place)):
        write_tiff(tmp_path / f"{name}.tif", picture(150, 200), crs=crs, transform=grid)
        write_tiff(tmp_path / f"{name}_l.tif", picture(150, 200)[..., :1] % 3, crs=crs, transform=grid)
    write_polygons(tmp_path / "r.geojson", [shapely.box(-50, -50, 80, 250)], ["x"], "EPSG:4326")
    sources = {
        "train": [{"image": "a.tif", "labels": "a_l.tif", **learnt}],
        "val": [{"image": "b.tif", "labels": "b_l.tif", **measured}],
    }
    data = write_set(tmp_path, sources)
    assert [finding.code for finding in judge_rasters(data, data.splits())] == ["raster-leakage"] * leaks


def test_ground_without_data_is_no_leak(tmp_path: Path) -> None:
    sources = {}
    for split, columns, left in (("train", slice(150, 200), 0), ("val", slice(0, 50), 150)):
        image = picture(150, 200) | 1
        image[:, columns] = 0
        place = GRID @ Affine.translation(left, 0)
        write_tiff(tmp_path / f"{split}.tif", image, crs=UTM, transform=place, nodata=0)
        labels = np.where(image.any(2, keepdims=True), 1, 255).astype(np.uint8)
        write_tiff(tmp_path / f"{split}_l.tif", labels, crs=UTM, transform=place)
        sources[split] = [{"image": f"{split}.tif", "labels": f"{split}_l.tif"}]
    data = write_set(tmp_path, sources)
    assert judge_rasters(data, data.splits()) == []


def test_nodata_is_ignored(tmp_path: Path, truth: NDArray[np.uint8]) -> None:
    image = np.random.default_rng(0).normal(5, 1, (150, 200, 4)).astype(np.float32)
    image[:70, :110] = -9999
    write_tiff(tmp_path / "a.tif", image, crs=UTM, transform=GRID, nodata=-9999)
    write_tiff(tmp_path / "l.tif", truth[..., None], crs=UTM, transform=GRID)
    data = write_set(tmp_path, {"val": [{"image": "a.tif", "labels": "l.tif"}]}, bands=["b", "g", "r", "nir"])
    assert data.bands is not None
    assert data.bands.nodata == -9999
    assert len(data.pairs("val")) == 11  # the first window is empty
    mask = put_together(data, "val", truth.shape)
    assert set(np.unique(mask[:70, :110])) == {255, 77}
    np.testing.assert_array_equal(mask[70:], truth[70:])
    values = data.pairs("val")[0].read_image(data.bands)
    assert np.isnan(values[:6, : 110 - 64]).all()
    (finding,) = judge_rasters(data, data.splits())
    assert finding.code == "raster-nodata-labelled"


def test_what_is_wrong_is_found(tmp_path: Path, truth: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]) -> None:
    write_tiff(tmp_path / "a.tif", picture(150, 200), crs=UTM, transform=GRID)
    write_tiff(tmp_path / "crs.tif", truth[..., None], crs=CRS.from_epsg(32632), transform=GRID)
    write_tiff(
        tmp_path / "shift.tif", truth[..., None], crs=UTM, transform=Affine(0.5, 0, 500_000.25, 0, -0.5, 5_000_000)
    )
    write_tiff(tmp_path / "size.tif", truth[:-1, :, None], crs=UTM, transform=GRID)
    write_tiff(tmp_path / "bare.tif", picture(150, 200))
    write_polygons(tmp_path / "far.gpkg", [shapely.box(1000, 1000, 1100, 1100)], ["field"])
    both = [shapely.box(1000, 1000, 1100, 1100), shapely.box(5, 5, 50, 50)]
    write_polygons(tmp_path / "some.gpkg", both, ["field"] * 2)
    write_polygons(tmp_path / "odd.gpkg", [shapely.box(5, 5, 50, 50)], ["lake"])
    polygons = {"image": "a.tif", "attribute": "kind", "background": "ground"}
    cases: dict[str, dict[str, Any]] = {
        "is in EPSG:32632, its picture in EPSG:32631": {"image": "a.tif", "labels": "crs.tif"},
        "its corner lies at column 0.50": {"image": "a.tif", "labels": "shift.tif"},
        "is 200 x 149 pixels": {"image": "a.tif", "labels": "size.tif"},
        "raster-polygons-elsewhere": {**polygons, "polygons": "far.gpkg"},
        "raster-polygons-outside": {**polygons, "polygons": "some.gpkg"},
        "raster-unknown-class": {**polygons, "polygons": "odd.gpkg"},
        "raster-no-crs": {**polygons, "image": "bare.tif", "polygons": "some.gpkg"},
        "no such file|No such file": {"image": "none.tif", "labels": "crs.tif"},
    }
    for words, source in cases.items():
        write_set(tmp_path, {"train": [source]})
        code = main(["data", "check", str(tmp_path), "--json", str(tmp_path / "f.json")])
        assert code == (0 if words == "raster-polygons-outside" else 1), words
        said = capsys.readouterr().out + (tmp_path / "f.json").read_text()
        assert any(word in said for word in words.split("|")), (words, said)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([], "'rasters' is"),
        ({"train": [{"labels": "l.tif"}]}, "it has an image"),
        ({"train": [{"image": "a.tif"}]}, "needs either 'labels'"),
        ({"train": [{"image": "a.tif", "labels": "l.tif", "buffer": 1}]}, "are for polygons"),
        ({"train": [{"image": "a.tif", "labels": 3}]}, "'labels' of a.tif is 3"),
    ],
)
def test_a_wrong_listing_is_one_sentence(tmp_path: Path, sources: Any, words: str) -> None:
    with pytest.raises(SegNextError, match=words):
        write_set(tmp_path, sources)


def test_a_training_on_rasters_goes_on_from_any_step(
    tmp_path: Path, truth: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    image = np.dstack([picture(150, 200), picture(150, 200, 1)[..., :1]])
    write_tiff(tmp_path / "a.tif", image, crs=UTM, transform=GRID, nodata=0)
    write_tiff(tmp_path / "l.tif", truth[..., None], crs=UTM, transform=GRID)
    write_polygons(tmp_path / "r.geojson", [shapely.box(0, 0, 80, 150)], ["x"])
    source = {"image": "a.tif", "labels": "l.tif"}
    splits = {"train": [{**source, "outside": "r.geojson"}], "val": [{**source, "inside": "r.geojson"}]}
    data = write_set(tmp_path, splits, bands=["b", "g", "r", "nir"])
    preprocess = Preprocess((0.0,) * 4, (1.0,) * 4, None, data.bands)
    pairs = tuple(data.pairs("train"))
    samples = [Crops(pairs, data.labels, preprocess, (32, 32), Augment(), 3) for _ in range(2)]
    for number in (0, 17, 40):
        for one, other in zip(samples[0][number], samples[1][number], strict=True):
            assert one.equal(other)
    arguments = ["--model", "tiny", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--crop", "32", "32"]
    options = ["--iterations", "2", "--batch_size", "2", "--eval_every", "2", "--device", "cpu", "--workers", "1"]
    assert main(["train", *arguments, *options]) == 0
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert any("miou" in line for line in log)
    assert main(["eval", "--data", str(tmp_path), "--weights", str(tmp_path / "run"), "--engine", "torch"]) == 0
