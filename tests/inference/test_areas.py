"""A result in notebooks, as polygons, for COCO, and cut out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import rasterio.features
from conftest import picture

from segnext.cli import main
from segnext.errors import SegNextError
from segnext.inference.coco import run_lengths
from segnext.inference.multi_label import MultiLabelResult
from segnext.inference.result import Result
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels

LABELS = Labels("toy", ("sky", "road", "<car>"), ((10, 20, 250), (100, 60, 100), (200, 0, 0)))


def result_of(mask: Any) -> Result:
    mask = np.asarray(mask, np.uint8)
    kind = Result if mask.ndim == 2 else MultiLabelResult
    return kind(picture(*mask.shape[-2:]), mask, lambda: np.ones(mask.shape, np.float32), LABELS, 0.1, "street")


@pytest.fixture
def ring() -> Result:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 5:15] = 1
    mask[8:10, 8:12] = 2
    mask[0, 0] = LABELS.ignore
    return result_of(mask)


def test_polygons_are_the_pixels(ring: Result) -> None:
    areas = ring.to_polygons()
    assert sorted(area.name for area in areas) == ["<car>", "road", "sky"]
    (car,) = (area for area in areas if area.name == "<car>")
    assert car.polygon.bounds == (8, 8, 12, 10)
    shapes = [(area.polygon, area.label) for area in areas]
    np.testing.assert_array_equal(rasterio.features.rasterize(shapes, (20, 30), fill=LABELS.ignore), ring.mask)


def test_geojson(ring: Result) -> None:
    found = json.loads(json.dumps(ring.to_geojson()))
    assert found["type"] == "FeatureCollection"
    assert {feature["properties"]["class"] for feature in found["features"]} == set(LABELS.classes)


def test_coco_comes_back(ring: Result, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    PIL.Image.fromarray(ring.image).save(source / "street.png")
    (source / "annotations.json").write_text(json.dumps(ring.to_coco()))
    assert main(["data", "import", str(source), str(tmp_path / "out"), "--from", "coco"]) in (0, 1)
    (mask,) = (tmp_path / "out" / "masks").rglob("*.png")
    values = np.asarray(PIL.Image.open(mask))
    assert len({(int(a), int(b)) for a, b in zip(values.ravel(), ring.mask.ravel(), strict=True)}) == 4


def test_run_lengths_go_down_the_columns() -> None:
    assert run_lengths(np.array([[0, 1], [1, 1]], np.uint8)) == [1, 3]
    assert run_lengths(np.array([[1, 0]], np.uint8)) == [0, 1, 1]
    assert run_lengths(np.zeros((2, 2), np.uint8)) == [4]


def test_several_classes_at_a_pixel() -> None:
    planes = np.zeros((3, 8, 8), np.uint8)
    planes[0, 2:6], planes[1, :, 2:6] = 1, 1
    result = result_of(planes)
    assert sorted((area.name, area.polygon.area) for area in result.to_polygons()) == [("road", 32), ("sky", 32)]
    assert result.crop("sky").size == (8, 4)


def test_a_class_is_cut_out(ring: Result) -> None:
    cut = ring.crop("road")
    assert (cut.mode, cut.size) == ("RGBA", (10, 10))
    values = np.asarray(cut)
    np.testing.assert_array_equal(values[..., 3] == 255, ring.mask[5:15, 5:15] == 1)
    np.testing.assert_array_equal(values[0, 0, :3], ring.image[5, 5])
    with pytest.raises(SegNextError, match="the class is 'tree'; choose from sky, road"):
        ring.crop("tree")
    with pytest.raises(SegNextError, match="road is nowhere in street"):
        result_of(np.zeros((4, 4))).crop("road")


def test_notebooks_show_it(ring: Result) -> None:
    assert ring._repr_png_().startswith(b"\x89PNG")
    page = ring._repr_html_()
    assert "data:image/png;base64," in page
    assert "&lt;car&gt;" in page
    assert "<car>" not in page


def test_it_is_drawn(ring: Result) -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert ring.plot(axes) is axes
    assert axes.get_title() == "street"
    assert len(axes.get_images()) == 1


def test_a_segmenter_says_what_it_is(segmenter: Segmenter) -> None:
    assert repr(segmenter) == "<Segmenter toy: 4 classes (sky, road, tree, car); torch, fp32, cpu>"
