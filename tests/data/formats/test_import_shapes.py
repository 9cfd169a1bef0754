"""COCO and labelme annotations of drawn scenes come back label for label."""

import base64
import io
import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import draw_scene

from segnext.data.folder import Folder, read_mask
from segnext.data.formats.coco import runs_of
from segnext.data.formats.journal import ImportSummary
from segnext.data.formats.options import Options
from segnext.data.formats.run import import_dataset
from segnext.data.known import known_labels
from segnext.errors import SegNextError

Array = NDArray[np.uint8]
NAMES = known_labels("camvid").classes


def save(array: Array, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def bring(kind: str, source: Path, **options: object) -> tuple[ImportSummary, Folder]:
    out = (source.parent if source.is_file() else source).parent / "out"
    return import_dataset(kind, out, Options(source, **options)), Folder.open(out)  # type: ignore[arg-type]


def labels_of(folder: Folder, name: str) -> Array:
    return read_mask(folder.path / "masks" / f"{name}.png", folder.labels)


def outlines(labels: Array) -> list[tuple[str, list[list[float]]]]:
    """Outer outlines of all regions, the larger first, so that what lies in a hole is painted later."""
    found = []
    for label in np.unique(labels):
        count, parts = cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=4)
        for part in range(1, count):
            region = (parts == part).astype(np.uint8)
            (contour,), _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            filled = cv2.drawContours(np.zeros_like(labels), [contour], 0, 1, -1)
            points = contour[:, 0].astype(float).tolist()
            found.append((int(filled.sum()), NAMES[label], points if len(points) > 2 else points * 3))
    return [(name, points) for _, name, points in sorted(found, key=lambda entry: -entry[0])]


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: str) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def labelme(path: Path, shapes: list[dict[str, Any]], height: int, width: int, **more: object) -> None:
    content = {"shapes": shapes, "imageHeight": height, "imageWidth": width, "imagePath": f"{path.stem}.png", **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_labelme_polygons(tmp_path: Path) -> None:
    image, labels = draw_scene(5, 64, 96)
    save(image, tmp_path / "in/street/a.png")
    labelme(tmp_path / "in/street/a.json", [shape(*entry) for entry in outlines(labels)], 64, 96)
    summary, folder = bring("labelme", tmp_path / "in", like="camvid", background="ignore")
    assert (summary.imported, summary.failed) == (1, 0)
    np.testing.assert_array_equal(labels_of(folder, "train/street/a"), labels)


def test_labelme_shapes_in_the_order_of_the_file(tmp_path: Path) -> None:
    save(np.zeros((10, 12, 3), np.uint8), tmp_path / "in/b.png")
    stamp = io.BytesIO()
    Image.fromarray(np.array([[255, 0], [255, 255]], np.uint8)).save(stamp, "PNG")
    labelme(
        tmp_path / "in/b.json",
        [
            shape("wall", [[8.0, 7.0], [1.0, 2.0]], "rectangle"),
            shape("door", [[5, 5], [5, 7]], "circle"),
            shape("door", [[9, 0], [10, 1]], "mask", mask=base64.b64encode(stamp.getvalue()).decode()),
            shape("__ignore__", [[0, 9], [11, 9]], "rectangle"),
            shape("door", [[0, 0], [3, 3]], "line"),
        ],
        10,
        12,
    )
    summary, folder = bring("labelme", tmp_path / "in")
    assert folder.labels.classes == ("background", "door", "wall")
    assert summary.notes() == {"shapes of kind 'line' without an area left out": (1, 1)}
    mask = labels_of(folder, "train/b")
    assert mask[2, 1:9].tolist() == [2] * 8
    assert mask[5, 1:9].tolist() == [2, 2, 1, 1, 1, 1, 1, 2]  # 2 pixels around (5, 5)
    assert mask[7, 5] == 1
    assert mask[8, 5] == 0
    assert mask[0:2, 9:11].tolist() == [[1, 0], [1, 1]]
    assert mask[9].tolist() == [255] * 12


def test_labelme_pictures_inside_elsewhere_and_nowhere(tmp_path: Path) -> None:
    image, _ = draw_scene(6, 64, 96)
    save(image, tmp_path / "pictures/b.png")
    encoded = (tmp_path / "pictures/b.png").read_bytes()
    square = [shape("sky", [[0, 0], [95, 31]], "rectangle")]
    labelme(tmp_path / "in/a.json", square, 64, 96, imageData=base64.b64encode(encoded).decode())
    labelme(tmp_path / "in/b.json", square, 64, 96, imagePath="..\\pictures\\b.png")
    labelme(tmp_path / "in/c.json", square, 64, 96)
    (tmp_path / "in/d.json").write_text("[]")
    (tmp_path / "in/e.json").write_text("{")
    summary, folder = bring("labelme", tmp_path / "in")
    assert summary.imported == 1
    assert {(r.source, r.kind) for r in summary.records if not r.target} == {
        ("b.json", "no picture"),  # outside of the folder
        ("c.json", "no picture"),
        ("d.json", "other files"),
        ("e.json", "unreadable mask"),
    }
    assert (folder.path / "images/train/a.png").read_bytes() == encoded
    assert (labels_of(folder, "train/a")[:32] == 1).all()


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed RLE: lengths of runs of 0 and 1, column by column, 0 first."""
    flat = mask.ravel(order="F")
    ends = [*(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    lengths = np.diff([0, *ends]).tolist()
    return [0, *lengths] if flat[0] else lengths


def boxes(mask: NDArray[np.bool_]) -> list[list[int]]:
    """A polygon around every run of pixels of a row."""
    found = []
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff([0, *row.astype(int), 0])).reshape(-1, 2).tolist()
        found += [[x0, y, x1, y, x1, y + 1, x0, y + 1] for x0, x1 in edges]
    return found


def coco(file: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]], names: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    categories = [{"id": 10 * number + 3, "name": name} for number, name in enumerate(names)]
    for number, annotation in enumerate(annotations):
        annotation["id"] = number
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with NumPy 2
def test_coco_polygons_and_rle(tmp_path: Path) -> None:
    tools = pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    truth = {}
    for number, split in enumerate(["train", "val"]):
        image, labels = draw_scene(number, 64, 96)
        truth[split] = labels
        save(image, tmp_path / f"in/{split}2017/sub/{number}.png")
        annotations = []
        for label in np.unique(labels):
            region = labels == label
            shapes: list[Any] = [boxes(region), {"size": [64, 96], "counts": runs(region)}]
            packed = tools.encode(np.asfortranarray(region.astype(np.uint8)))
            shapes.append({"size": [64, 96], "counts": packed["counts"].decode()})
            annotations.append({"image_id": 7, "category_id": 10 * int(label) + 3, "segmentation": shapes[label % 3]})
        entry = {"id": 7, "file_name": f"sub/{number}.png", "height": 64, "width": 96}
        coco(tmp_path / f"in/annotations/instances_{split}2017.json", [entry], annotations, list(NAMES))
    (tmp_path / "in/annotations/captions_val2017.json").write_text("{}")
    summary, folder = bring("coco", tmp_path / "in", background="sky")
    assert (summary.splits(), summary.failed) == ({"train": 1, "val": 1}, 0)
    assert folder.labels.classes == NAMES
    np.testing.assert_array_equal(labels_of(folder, "train/sub/0"), truth["train"])
    np.testing.assert_array_equal(labels_of(folder, "val/sub/1"), truth["val"])


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_coco_overlaps_and_what_is_left_out(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    for name in "ab":
        save(np.zeros((8, 10, 3), np.uint8), tmp_path / f"in/images/{name}.png")

    def box(x0: int, y0: int, x1: int, y1: int) -> list[list[int]]:
        return [[x0, y0, x1, y0, x1, y1, x0, y1]]

    crowd = np.zeros((8, 10), bool)
    crowd[0, :3] = True
    images = [{"id": n, "file_name": f"{name}.png", "height": 8, "width": 10} for n, name in enumerate("abc")]
    annotations = [
        {"image_id": 0, "category_id": 13, "segmentation": box(2, 2, 4, 4)},
        {"image_id": 0, "category_id": 3, "segmentation": box(0, 0, 6, 6)},
        {"image_id": 0, "category_id": 13, "segmentation": {"size": [8, 10], "counts": runs(crowd)}, "iscrowd": 1},
        {"image_id": 0, "category_id": 3, "bbox": [0, 0, 1, 1]},
        {"image_id": 0, "category_id": 13, "segmentation": box(7, 0, 9, 2)},
        {"image_id": 0, "category_id": 3, "segmentation": box(8, 0, 10, 2)},
    ]
    coco(tmp_path / "in/all.json", images, annotations, ["cat", "dog"])
    summary, folder = bring("coco", tmp_path / "in/all.json")
    assert folder.labels.classes == ("background", "cat", "dog")
    mask = labels_of(folder, "train/a")
    assert mask[0].tolist() == [
        1,
        1,
        1,
        1,
        1,
        1,
        0,
        2,
        1,
        1,
    ]  # the crowd lies lowest; the later of two equal ones on top
    assert mask[2].tolist() == [1, 1, 2, 2, 1, 1, 0, 0, 0, 0]
    assert (labels_of(folder, "train/b") == 0).all()
    assert summary.notes() == {"annotations without a segmentation left out": (1, 1)}
    assert [r.reason for r in summary.records if not r.target] == ["lists 'c.png', but there is no such picture"]


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_coco_entries_that_lack_a_field_or_hold_nonsense(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    for name in "abc":
        save(np.zeros((8, 10, 3), np.uint8), tmp_path / f"in/{name}.png")
    images: list[dict[str, Any]] = [
        {"id": n, "file_name": f"{x}.png", "height": 8, "width": 10} for n, x in enumerate("abc")
    ]
    del images[0]["height"]
    wrong = [{"image_id": 1, "category_id": 3, "segmentation": {"size": [9, 9], "counts": [81]}}]
    coco(tmp_path / "in/all.json", images, wrong, ["cat"])
    summary, _ = bring("coco", tmp_path / "in/all.json")
    assert [record.kind for record in summary.records] == ["", "bad segmentation", ""]
    assert "annotation 0 cannot be read (its RLE is for [9, 9])" in summary.records[1].reason


def test_coco_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    coco(tmp_path / "in/all.json", [], [], ["cat"])
    with pytest.raises(SegNextError, match=r"pip install 'segnext\[coco\]'"):
        bring("coco", tmp_path / "in")


@pytest.mark.parametrize(
    ("key", "entry", "lacks"),
    [
        ("images", {"file_name": "a.png", "height": 8, "width": 10}, "id"),
        ("annotations", {"id": 5, "category_id": 1}, "image_id"),
        ("annotations", "nonsense", "image_id"),
        ("categories", {"id": 1}, "id or name"),
    ],
)
def test_coco_entries_without_their_links_are_named(tmp_path: Path, key: str, entry: object, lacks: str) -> None:
    pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    content: dict[str, list[object]] = {"images": [], "annotations": [], "categories": []}
    content[key].append(entry)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/all.json").write_text(json.dumps(content))
    with pytest.raises(SegNextError, match=f"an entry of '{key}' lacks {lacks}"):
        bring("coco", tmp_path / "in")


def test_coco_rle_that_is_too_short_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    for name in "ab":
        save(np.zeros((8, 10, 3), np.uint8), tmp_path / f"in/{name}.png")
    images: list[dict[str, Any]] = [
        {"id": n, "file_name": f"{x}.png", "height": 8, "width": 10} for n, x in enumerate("ab")
    ]
    short = [
        {"image_id": 0, "category_id": 3, "segmentation": {"size": [8, 10], "counts": [40, 30]}},
        {"image_id": 1, "category_id": 3, "segmentation": {"size": [8, 10], "counts": "T1"}},
    ]
    coco(tmp_path / "in/all.json", images, short, ["cat"])
    with pytest.raises(SegNextError):
        bring("coco", tmp_path / "in")
    summary = import_dataset("coco", tmp_path / "again", Options(tmp_path / "in"))
    assert [record.kind for record in summary.records] == ["bad segmentation", "bad segmentation"]
    assert "counts 70 of 80 pixels" in summary.records[0].reason
    assert "counts 36 of 80 pixels" in summary.records[1].reason


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with NumPy 2
def test_runs_of_compressed_rle() -> None:
    tools = pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    assert runs_of("T1", 36) == [36]  # T is 4 with more to follow, 1 stands for 32
    for share in (0.0, 0.01, 0.5, 1.0):
        mask = np.asfortranarray(np.random.Generator(np.random.PCG64(1)).random((40, 60)) < share, dtype=np.uint8)
        runs = [len(list(run)) for _, run in groupby(mask.ravel(order="F").tolist())]
        first = [0] if mask[0, 0] else []  # the first run is one of zeros
        assert runs_of(tools.encode(mask)["counts"].decode(), mask.size) == first + runs


def test_labelme_shapes_that_are_none(tmp_path: Path) -> None:
    for name in "ab":
        save(np.zeros((8, 10, 3), np.uint8), tmp_path / f"in/{name}.png")
        (tmp_path / f"in/{name}.json").write_text(json.dumps({"imagePath": f"{name}.png", "shapes": []}))
    (tmp_path / "in/b.json").write_text('{"imagePath": "b.png", "shapes": [1]}')
    summary = import_dataset("labelme", tmp_path / "out", Options(tmp_path / "in"))
    assert summary.splits() == {"train": 1}
    assert "holds something else" in summary.records[1].reason
