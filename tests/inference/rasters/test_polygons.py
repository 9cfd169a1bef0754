"""Areas are those of the labels, wherever strips cut."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import rasterio.features
import shapely
from numpy.typing import NDArray
from raster_files import write_tiff
from rasterio.crs import CRS
from rasterio.transform import Affine

from segnext.cli import main
from segnext.data.folder import Folder
from segnext.errors import SegNextError
from segnext.inference.rasters.ground import Ground
from segnext.inference.rasters.polygons import areas, write_polygons
from segnext.labels import Labels

LABELS = Labels("toy", ("a", "b", "c"), ((1, 2, 3), (4, 5, 6), (7, 8, 9)))
IGNORE = 255


def blobs(seed: int, height: int = 60, width: int = 45) -> NDArray[np.uint8]:
    """Smooth regions of three labels, with holes, and some that are ignored."""
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    labels: NDArray[np.uint8] = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5)).argmax(2).astype(np.uint8)
    labels[10:20, 5:9] = IGNORE
    return labels


def cut(labels: NDArray[np.uint8], *rows: int) -> Iterator[NDArray[np.uint8]]:
    return iter(np.split(labels, rows))


@pytest.mark.parametrize("rows", [(), (1,), (15, 30), tuple(range(1, 60))])
@pytest.mark.parametrize("seed", range(4))
def test_areas_do_not_depend_on_the_strips(seed: int, rows: tuple[int, ...]) -> None:
    labels = blobs(seed)
    found = list(areas(cut(labels, *rows), IGNORE))
    whole = list(areas(cut(labels), IGNORE))
    assert {(label, shape.wkt) for label, shape in found} == {(label, shape.wkt) for label, shape in whole}
    assert all(shape.is_valid and shape.geom_type == "Polygon" for _, shape in found)
    back = rasterio.features.rasterize([(shape, label) for label, shape in found], labels.shape, fill=IGNORE)
    np.testing.assert_array_equal(back, labels)
    expected = sum(
        cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=4)[0] - 1 for label in range(3)
    )
    assert len(found) == expected


def test_areas_that_touch_at_a_corner_stay_apart() -> None:
    labels = np.array([[0, 1], [1, 0]], np.uint8)
    assert len(list(areas(cut(labels, 1), IGNORE))) == 4


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb"])
def test_files_hold_the_areas_on_the_ground(tmp_path: Path, suffix: str) -> None:
    import pyogrio

    file = tmp_path / f"areas{suffix}"
    labels, transform = blobs(1), Affine(10, 0, 500_000, 0, -10, 5_000_000)
    count = write_polygons(file, areas(cut(labels, 20), IGNORE), transform, CRS.from_epsg(32631), LABELS)
    meta, _, geometry, fields = pyogrio.raw.read(file)
    assert len(geometry) == count == len(list(areas(cut(labels), IGNORE)))
    assert set(fields[1]) == {"a", "b", "c"}
    shapes = shapely.from_wkb(geometry)
    if suffix == ".geojson":
        assert shapely.total_bounds(shapes)[0] == pytest.approx(3, abs=0.01)  # degrees east
    else:
        assert meta["crs"] == "EPSG:32631"
        assert shapely.area(shapes).sum() == pytest.approx(100 * (labels != IGNORE).sum())
    again = tmp_path / "again" / file.name
    again.parent.mkdir()
    write_polygons(again, areas(cut(labels, 20), IGNORE), transform, CRS.from_epsg(32631), LABELS)
    assert again.read_bytes() == file.read_bytes()


def test_areas_are_imported_again_by_their_names(tmp_path: Path) -> None:
    labels, transform, crs = blobs(3), Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000), CRS.from_epsg(32631)
    write_tiff(tmp_path / "in/a.tif", np.dstack([labels] * 3), crs=crs, transform=transform)
    write_polygons(tmp_path / "in/a.geojson", areas(cut(labels, 20), IGNORE), transform, crs, LABELS)
    flags = ["--from", "geojson", "--background", "ignore"]
    assert main(["data", "import", str(tmp_path / "in"), str(tmp_path / "out"), *flags]) == 0
    assert Folder.open(tmp_path / "out").labels.classes == LABELS.classes
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "out/masks/train/a.png")), labels)


def test_simplified_areas_still_share_their_edges(tmp_path: Path) -> None:
    import pyogrio

    labels = blobs(2)
    labels[labels == IGNORE] = 0
    write_polygons(tmp_path / "a.gpkg", areas(cut(labels), IGNORE), Affine.identity(), None, LABELS, simplify=2)
    shapes = shapely.from_wkb(pyogrio.raw.read(tmp_path / "a.gpkg")[2])
    assert shapely.coverage_is_valid(shapes)
    assert shapely.area(shapes).sum() == pytest.approx(labels.size)
    assert shapely.get_num_coordinates(shapes).sum() < sum(
        shapely.get_num_coordinates(shape) for _, shape in areas(cut(labels), IGNORE)
    )


def test_no_areas_are_an_empty_file(tmp_path: Path) -> None:
    nothing = np.full((4, 4), IGNORE, np.uint8)
    assert write_polygons(tmp_path / "a.gpkg", areas(cut(nothing), IGNORE), Affine.identity(), None, LABELS) == 0
    assert (tmp_path / "a.gpkg").exists()


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match=r"areas\.shp: polygons are written as \.gpkg, \.geojson, \.fgb"):
        write_polygons(tmp_path / "areas.shp", iter(()), Affine.identity(), None, LABELS)


def test_areas_of_pixels() -> None:
    feet = Ground(CRS.from_epsg(2263), Affine(1, 0, 1_000_000, 0, -1, 200_000), 2, 3)  # survey feet
    assert feet.row(1) == pytest.approx([0.3048006096**2] * 3, rel=2e-4)
    degree = Ground(CRS.from_epsg(4326), Affine(1, 0, 0, 0, -1, 90), 180, 360)
    assert degree.areas.sum() == pytest.approx(510_065_621_724_000, rel=1e-6)  # the ellipsoid's surface
    assert degree.row(90)[0] == pytest.approx(1.2308e10, rel=1e-3)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(0, 1e-5, 10, 1e-5, 0, 60)),  # turned by a quarter
        ("EPSG:4901", Affine(1e-5 / 0.9, 0, 8.5, 0, -1e-5 / 0.9, 60 / 0.9)),  # in grads, from Paris
        ("EPSG:3857", Affine(1.11319, 0, 1_113_195, 0, -2.2306, 8_399_737)),  # twice as large there
        ("EPSG:32632", Affine(0.5571, 0, 555_776, 0, -1.1136, 6_651_832)),
        ("EPSG:3413", Affine(0.8, 0, 1_555_700, 0, -0.8, -1_555_700)),  # 70 degrees north, where its scale is 1
    ],
)
def test_square_metres_are_the_grounds(crs: str, transform: Affine) -> None:
    ground = Ground(CRS.from_string(crs), transform, 1000, 700)
    assert ground.known
    expected = 0.64 if crs == "EPSG:3413" else 0.62137  # of a hundred-thousandth of a degree, 60 degrees north
    assert np.concatenate([ground.row(0), ground.row(999)]) == pytest.approx([expected] * 1400, rel=0.03)


@pytest.mark.parametrize("crs", [None, 'LOCAL_CS["site",UNIT["metre",1]]', "EPSG:4978"])
def test_what_lies_nowhere_has_no_area(crs: str | None) -> None:
    ground = Ground(crs and CRS.from_user_input(crs), Affine(1, 0, 0, 0, -1, 0), 5, 6)
    assert not ground.known
    assert ground.row(4).tolist() == [0] * 6


def test_another_planet_has_its_maps_areas() -> None:
    body = 'GEOGCS["Mars",DATUM["D_Mars",SPHEROID["Mars_IAU",3396190,169.894]],PRIMEM["M",0],UNIT["Degree",0.01745329]]'
    mars = f'PROJCS["Mars",{body},PROJECTION["Sinusoidal"],UNIT["Meter",1]]'
    ground = Ground(CRS.from_wkt(mars), Affine(2, 0, 0, 0, -2, 0), 5, 6)
    assert ground.row(4) == pytest.approx([4] * 6)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32601", Affine(10_000, 0, 160_000, 0, -10_000, 600_000)),  # its west is at 180 degrees
        ("EPSG:4326", Affine(0.1, 0, 179.5, 0, -0.1, 5)),
        ("EPSG:4326", Affine(0.1, 0, -180.5, 0, -0.1, 5)),
        ("EPSG:3832", Affine(10_000, 0, 3_300_000, 0, -10_000, 600_000)),  # the Pacific's
    ],
)
def test_geojson_is_cut_at_the_antimeridian(tmp_path: Path, crs: str, transform: Affine) -> None:
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(3, 3, 6, 6))
    west = shapely.box(15, 20, 16, 21)
    file = tmp_path / "areas.geojson"
    assert write_polygons(file, [(1, ring), (2, west)], transform, CRS.from_string(crs), LABELS) == 2
    first, second = (shapely.geometry.shape(each["geometry"]) for each in json.loads(file.read_text())["features"])
    assert first.geom_type == "MultiPolygon"
    assert second.geom_type == "Polygon"
    assert first.bounds[0] == -180
    assert first.bounds[2] == 180
    cell = abs(second.area)
    assert first.is_valid
    assert first.area == pytest.approx(91 * cell, rel=0.05)
