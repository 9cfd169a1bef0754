"""Small exports as annotation tools write them: shapes come back where they were drawn, under their names."""

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from raster_files import write_tiff

from segnext.data.folder import Folder, read_mask
from segnext.data.formats.journal import ImportSummary
from segnext.data.formats.labelstudio import brush
from segnext.data.formats.options import Options
from segnext.data.formats.run import import_dataset
from segnext.data.formats.via import main_attribute
from segnext.errors import SegNextError

HEIGHT, WIDTH = 20, 30
BOX = (slice(4, 11), slice(6, 19))  # rows and columns of the shape that every tool draws, outline included
LEFT, TOP, RIGHT, BOTTOM = 6, 4, 18, 10
OUTLINE = [[LEFT, TOP], [RIGHT, TOP], [RIGHT, BOTTOM], [LEFT, BOTTOM]]


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(folder / name)


def bring(kind: str, source: Path, **options: Any) -> tuple[ImportSummary, Folder]:
    out = source.parent / "out"
    return import_dataset(kind, out, Options(source, **options)), Folder.open(out)


def labels_of(folder: Folder, name: str) -> NDArray[np.uint8]:
    return read_mask(folder.path / f"masks/{name}.png", folder.labels)


def boxed(label: int) -> NDArray[np.uint8]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[BOX] = label
    return mask


def png(mask: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    return stream.getvalue()


def test_cvat(tmp_path: Path) -> None:
    pictures(tmp_path / "in/images", *(f"{name}.jpg" for name in "abcdef"))
    points = ";".join(f"{x},{y}" for x, y in OUTLINE)
    shapes = {
        "a": f'<polygon label="crack" points="{points}"/>',
        "b": f'<box label="hole" xtl="{LEFT}" ytl="{TOP}" xbr="{RIGHT}" ybr="{BOTTOM}" z_order="0"/>',
        "c": f'<mask label="crack" rle="0,{7 * 13}" left="{LEFT}" top="{TOP}" width="13" height="7"/>',
        "d": f'<polygon label="hole" points="{points}" z_order="1"/>'
        '<box label="crack" xtl="0" ytl="0" xbr="29" ybr="19"/>',
        "e": '<polyline label="crack" points="1,1;2,2"/>',
        "f": '<polygon label="crack" points="nan,1;2,2;3,3"/>',
    }
    images = "".join(
        f'<image name="{name}.jpg" width="{WIDTH}" height="{HEIGHT}" subset="Train">{shape}</image>'
        for name, shape in shapes.items()
    )
    (tmp_path / "in/annotations.xml").write_text(f"<annotations>{images}<image name='g.jpg'/></annotations>")
    summary, folder = bring("cvat", tmp_path / "in")
    assert folder.labels.classes == ("background", "crack", "hole")
    assert summary.splits() == {"train": 5}
    for name, label in {"a": 1, "b": 2, "c": 1}.items():
        np.testing.assert_array_equal(labels_of(folder, f"train/{name}"), boxed(label))
    assert np.unique(labels_of(folder, "train/d"), return_counts=True)[1].tolist() == [HEIGHT * WIDTH - 91, 91]
    assert summary.notes() == {"shapes of kind 'polyline' without an area left out": (1, 1)}
    assert {(record.kind, "not a number" in record.reason) for record in summary.records if not record.target} == {
        ("bad shape", True),
        ("no picture", False),
    }


def test_cvat_that_declares_entities_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path / "in", "a.png")
    (tmp_path / "in/a.xml").write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]><annotations>&a;</annotations>')
    with pytest.raises(Exception, match="declares entities"):
        bring("cvat", tmp_path / "in")


def packed(mask: NDArray[np.bool_]) -> list[int]:
    """A brush as Label Studio packs it, without repetitions."""
    values = np.zeros((*mask.shape, 4), np.uint8)
    values[mask] = 255
    bits = f"{values.size:032b}" + f"{7:05b}" + "".join(f"{width - 1:04b}" for width in (3, 4, 8, 16))
    flat = values.ravel()
    half = len(flat) // 2
    bits += "0" + "11" + f"{half - 1:016b}" + "".join(f"{value:08b}" for value in flat[:half])
    for value in flat[half:]:
        bits += "1" + "00" + "000" + f"{value:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def test_label_studio(tmp_path: Path) -> None:
    pictures(tmp_path / "in/images", *(f"{name}.png" for name in "abcd"))
    percent = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in OUTLINE]
    box = {"x": percent[0][0], "y": percent[0][1], "width": 100 * 12 / WIDTH, "height": 100 * 6 / HEIGHT, "rotation": 0}
    values = {
        "a": {"points": percent, "polygonlabels": ["crack"]},
        "b": {**box, "rectanglelabels": ["hole"]},
        "c": {"format": "rle", "rle": packed(boxed(1) > 0), "brushlabels": ["crack"]},
    }
    tasks: list[dict[str, Any]] = [
        {
            "data": {"image": f"/data/upload/1/{name}.png", "id": 7},
            "annotations": [
                {"result": [], "was_cancelled": True},
                {"result": [{"value": value, "original_width": WIDTH, "original_height": HEIGHT, "type": "x"}]},
            ],
        }
        for name, value in values.items()
    ]
    tasks += [{"data": {"image": "d.png"}, "annotations": []}, {"data": {"text": "no picture"}}]
    (tmp_path / "in/export.json").write_text(json.dumps(tasks))
    summary, folder = bring("labelstudio", tmp_path / "in")
    assert folder.labels.classes == ("background", "crack", "hole")
    for name, label in {"a": 1, "b": 2, "c": 1}.items():
        np.testing.assert_array_equal(labels_of(folder, f"train/{name}"), boxed(label))
    assert sorted(record.kind for record in summary.records if not record.target) == [
        "no mask",
        "no mask",
        "no picture",
    ]


def test_the_minimal_export_of_label_studio(tmp_path: Path) -> None:
    pictures(tmp_path / "in", "a.png")
    percent = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in OUTLINE]
    label = {"points": percent, "polygonlabels": ["crack"], "original_width": WIDTH, "original_height": HEIGHT}
    (tmp_path / "in/min.json").write_text(json.dumps([{"image": "s3://bucket/a.png", "id": 1, "label": [label]}]))
    _, folder = bring("labelstudio", tmp_path / "in")
    np.testing.assert_array_equal(labels_of(folder, "train/a"), boxed(1))


@pytest.mark.parametrize("damage", [[], [1, 2], [0, 0, 0, 8] * 9])
def test_damaged_brushes_are_refused(damage: list[int]) -> None:
    with pytest.raises(ValueError, match="its brush"):
        brush(damage, 1, 2)
    whole = packed(np.ones((3, 4), np.bool_))
    with pytest.raises(ValueError, match="ends early"):
        brush(whole[:-30], 3, 4)


def test_yolo(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        pictures(tmp_path / f"in/{split}/images", "a.jpg", "b.jpg", "c.jpg")
        (tmp_path / f"in/{split}/labels").mkdir()
        corners = " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in OUTLINE)
        (tmp_path / f"in/{split}/labels/a.txt").write_text(f"1 {corners}\n0 0.5 0.5 0.1 0.1\n")
        (tmp_path / f"in/{split}/labels/b.txt").write_text("")
    (tmp_path / "in/data.yaml").write_text("names: {0: crack, 1: hole}\nnc: 2")
    summary, folder = bring("yolo", tmp_path / "in")
    assert folder.labels.classes == ("background", "crack", "hole")
    assert summary.splits() == {"train": 2, "val": 2}
    np.testing.assert_array_equal(labels_of(folder, "val/a"), boxed(2))
    assert not labels_of(folder, "train/b").any()
    assert summary.notes() == {"boxes, which have no outline, left out": (2, 2)}
    assert [record.kind for record in summary.records if not record.target] == ["no mask", "no mask"]


def test_supervisely(tmp_path: Path) -> None:
    pictures(tmp_path / "in/street/img", "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "in/street/ann").mkdir()
    stamp = base64.b64encode(zlib.compress(png(np.full((7, 13), 255, np.uint8)))).decode()
    objects: dict[str, list[dict[str, Any]]] = {
        "a": [
            {"classTitle": "car", "geometryType": "bitmap", "bitmap": {"data": stamp, "origin": [LEFT, TOP]}},
            {"classTitle": "car", "geometryType": "point", "points": {"exterior": [[1, 1]]}},
        ],
        "b": [
            {
                "classTitle": "sky",
                "geometryType": "polygon",
                "points": {"exterior": OUTLINE, "interior": [[[9, 6], [12, 6], [12, 8], [9, 8]]]},
            }
        ],
        "c": [{"classTitle": "sky", "geometryType": "bitmap", "bitmap": {"data": "!", "origin": [0, 0]}}],
    }
    for name, entries in objects.items():
        content = {"size": {"height": HEIGHT, "width": WIDTH}, "objects": entries}
        (tmp_path / f"in/street/ann/{name}.jpg.json").write_text(json.dumps(content))
    (tmp_path / "in/meta.json").write_text("{}")
    summary, folder = bring("supervisely", tmp_path / "in")
    assert folder.labels.classes == ("background", "car", "sky")
    np.testing.assert_array_equal(labels_of(folder, "train/street/a"), boxed(1))
    hollow = boxed(2)
    hollow[6:9, 9:13] = 0
    np.testing.assert_array_equal(labels_of(folder, "train/street/b"), hollow)
    assert [record.kind for record in summary.records if not record.target] == ["bad shape"]


def test_via(tmp_path: Path) -> None:
    pictures(tmp_path / "in", "a.png", "b.png")
    xs, ys = zip(*OUTLINE, strict=True)
    regions = {
        "a.png": [
            {
                "shape_attributes": {"name": "polygon", "all_points_x": xs, "all_points_y": ys},
                "region_attributes": {"kind": "crack", "note": ""},
            },
            {"shape_attributes": {"name": "rect", "x": 0, "y": 0, "width": 2, "height": 1}, "region_attributes": {}},
        ],
        "b.png": {
            "0": {
                "shape_attributes": {"name": "rect", "x": LEFT, "y": TOP, "width": 12, "height": 6},
                "region_attributes": {"kind": {"hole": True, "crack": False}},
            }
        },
    }
    entries = {f"{name}99": {"filename": name, "size": 99, "regions": found} for name, found in regions.items()}
    (tmp_path / "in/project.json").write_text(json.dumps({"_via_img_metadata": entries}))
    summary, folder = bring("via", tmp_path / "in")
    assert folder.labels.classes == ("background", "crack", "hole")
    expected = boxed(1)
    expected[:2, :3] = 255
    np.testing.assert_array_equal(labels_of(folder, "train/a"), expected)
    np.testing.assert_array_equal(labels_of(folder, "train/b"), boxed(2))
    assert "regions without 'kind', which are ignored: 1 of 3 (33 %)" in summary.remarks


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("images\\1/ab12-a.jpg", "images/ab12-a.jpg"),
        ("..\\..\\media\\upload\\4\\cb-a.png", "images/cb-a.png"),
        ("/data/local-files/?d=shots/a.png", "images/a.png"),
        ("C:\\Users\\me\\a.png", "images/a.png"),
        ("cafe\u0301 1.png", "images/caf\u00e9 1.png"),
        ("IMG_1.JPG", "images/IMG_1.jpg"),
        ("https://host/x/a%20b.png?token=1", "a b.png"),
        ("train/x/a.png", "train/x/a.png"),
    ],
)
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_pictures_are_found_by_the_names_that_tools_write(tmp_path: Path, named: str, there: str) -> None:
    pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    for name in (there, "val/other.png", "val/x/a.png" if there.startswith("train") else "val/z.png"):
        pictures((tmp_path / "in" / name).parent, Path(name).name)
    outline = [OUTLINE] if "x/a" in named else [[value for point in OUTLINE for value in point]]
    content = {
        "images": [{"id": 0, "file_name": named, "height": HEIGHT, "width": WIDTH}],
        "annotations": [{"image_id": "0", "category_id": "x", "segmentation": outline}],
        "categories": [{"id": "x", "name": "crack"}],
    }
    (tmp_path / "in/result.json").write_text(json.dumps(content))
    summary, _ = bring("coco", tmp_path / "in")
    assert [record.source for record in summary.records if record.target] == [there]


def test_what_was_sought_and_what_is_there_is_said(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    pictures(tmp_path / "in", "a.png")
    content = {"images": [{"id": 0, "file_name": "shots/z.png"}], "annotations": [], "categories": []}
    (tmp_path / "in/result.json").write_text(json.dumps(content))
    with pytest.raises(Exception, match=r"lists 'shots/z\.png', but there is no such picture; found there: 'a\.png'"):
        bring("coco", tmp_path / "in")


def test_geojson_over_rasters(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="the package rasterio is not installed")
    warp = pytest.importorskip("rasterio.warp")
    place = rasterio.Affine(2, 0, 500_000, 0, -2, 5_000_000)  # metres in UTM
    for name in ("a", "b"):
        values = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        write_tiff(tmp_path / f"in/{name}.tif", values, crs="EPSG:32633", transform=place)
        place = rasterio.Affine(2, 0, 600_000, 0, -2, 5_000_000)  # b lies elsewhere
    edges = [(LEFT, TOP), (RIGHT + 1, TOP), (RIGHT + 1, BOTTOM + 1), (LEFT, BOTTOM + 1), (LEFT, TOP)]
    corners = [[500_000 + 2 * x, 5_000_000 - 2 * y] for x, y in edges]
    degrees = warp.transform("EPSG:32633", "OGC:CRS84", *zip(*corners, strict=True))
    geometry = {"type": "Polygon", "coordinates": [list(map(list, zip(*degrees, strict=True)))]}
    features = [{"type": "Feature", "geometry": geometry, "properties": {"class": "field", "id": None}}]
    content = {"type": "FeatureCollection", "features": features}
    (tmp_path / "in/fields.geojson").write_text(json.dumps(content))
    summary, folder = bring("geojson", tmp_path / "in")
    assert folder.labels.classes == ("background", "field")
    np.testing.assert_array_equal(labels_of(folder, "train/a"), boxed(1))
    assert [(record.source, record.kind) for record in summary.records if not record.target] == [("b.tif", "no mask")]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ([{"fid": 1, "kind": "field"}, {"fid": 2, "kind": "house"}], ("kind", 0)),  # rows' numbers say no class
        ([{"label": 0, "owner": "x", "class": "field"}, {"label": 1, "owner": "y", "class": "house"}], ("class", 0)),
        ([{"label": 0, "note": "wet"}, {"label": 1}, {"label": 1}], ("label", 0)),
        ([{"fid": 1, "kind": "field"}, {"fid": 2, "kind": None}], ("kind", 1)),
        ([{"a": "x"}, {"a": "x", "b": "y"}, None], ("a", 1)),
        ([{}, None], (None, 2)),
    ],
)
def test_the_attribute_that_says_the_class(given: list[Any], chosen: tuple[str | None, int]) -> None:
    assert main_attribute(given) == chosen


@pytest.mark.parametrize("names", ["{x: a}", "{-1: a}", "{1000000000: a}", "{.inf: a}", "[no, 1]"])
def test_yolo_with_names_that_are_none(tmp_path: Path, names: str) -> None:
    pictures(tmp_path / "in/images", "a.jpg")
    (tmp_path / "in/labels").mkdir()
    (tmp_path / "in/labels/a.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.6\n")
    (tmp_path / "in/data.yaml").write_text(f"names: {names}")
    with pytest.raises(SegNextError, match=r"data\.yaml: 'names' "):
        bring("yolo", tmp_path / "in")
