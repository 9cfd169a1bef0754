"""Masks in the formats of other tools: what is imported again is what was predicted."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from conftest import picture, weights_like
from numpy.typing import NDArray
from raster_files import write_tiff

from segnext.cli import main
from segnext.errors import SegNextError
from segnext.inference.formats import NAMES, encode, require_format
from segnext.inference.kinds import Format
from segnext.inference.outputs import Record
from segnext.inference.predict import predict_files
from segnext.inference.result import Result
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.inference.sources import Input
from segnext.labels import Labels

LABELS = Labels("toy", ("sky", "road", "tree", "car"), ((10, 20, 250), (100, 60, 100), (0, 130, 0), (200, 0, 0)))


def mask_of(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Areas of all kinds: large ones, with holes in holes, thin, of single pixels, that touch at corners."""
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 4, (height // 9 + 1, width // 9 + 1), np.uint8).repeat(9, 0).repeat(9, 1)[:height, :width]
    mask[8:32, 10:40], mask[12:28, 14:36], mask[15:20, 18:25], mask[17, 20:23] = 0, 1, 2, 3
    mask[-6:] = rng.integers(0, 4, (6, width), np.uint8)
    return np.ascontiguousarray(mask)


def result_of(mask: NDArray[np.uint8], name: str) -> Result:
    return Result(picture(*mask.shape), mask, lambda: np.ones(mask.shape, np.float32), LABELS, 0.1, name)


class Drawn(Segmenter):
    """Says of a picture that it is the mask drawn in its first channel."""

    def segment(self, image: Any, name: str = "image", *, confidence: bool = False) -> Result:
        return result_of(np.ascontiguousarray(image[..., 0]) % 4, name)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    segmenter = Drawn(weights_like(), Runtime("torch", "cpu", "fp32"))
    segmenter.labels = LABELS
    return segmenter


def write_picture(file: Path, mask: NDArray[np.uint8]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.dstack([mask, mask, mask])).save(file)


def imported(source: Path, target: Path, *flags: object) -> dict[str, NDArray[np.uint8]]:
    assert main(["data", "import", str(source), str(target), *map(str, flags)]) in (0, 1)
    masks = target / "masks"
    return {
        file.relative_to(masks / "train").with_suffix("").as_posix(): np.asarray(PIL.Image.open(file))
        for file in sorted(masks.rglob("*.png"))
    }


MASKS = {"a": mask_of(50, 70), "sub/b": mask_of(45, 64, 1)}


def require_same(found: dict[str, NDArray[np.uint8]]) -> None:
    assert found.keys() == MASKS.keys()
    for name, mask in MASKS.items():
        np.testing.assert_array_equal(found[name], mask)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, mask in MASKS.items():
        write_picture(tmp_path / "data" / "images" / f"{name}.png", mask)
    return tmp_path / "data"


@pytest.mark.parametrize("form", ["coco", "yolo", "labelme", "npz", "png"])
def test_what_is_imported_again_is_what_was_predicted(form: Format, drawn: Drawn, source: Path, tmp_path: Path) -> None:
    flags: Sequence[object] = ["--background", "ignore", "--classes", source / "classes.json"]
    if form == "coco":
        pytest.importorskip("pycocotools.mask", reason="the package pycocotools is not installed")
    out = source / "masks" if form in ("npz", "png") else source
    summary = predict_files(drawn, [source / "images"], out, form=form)
    assert (summary.done, summary.failed) == (2, 0)
    assert [(out / record.files["overlay"]).is_file() for record in summary.records() if record.files] == [True, True]
    files = [file for record in summary.records() for kind, file in (record.files or {}).items() if kind != "overlay"]
    assert files == (["coco.json"] * 2 if form == "coco" else [NAMES[form].format(name) for name in MASKS])
    for file in out.rglob("*.overlay.png"):  # which are no masks
        file.unlink()
    if form in ("npz", "png"):
        for file in out.glob("*.json*"):
            file.unlink()
        flags = ["--names", ",".join(LABELS.classes)]
    kind = {"npz": "text", "png": "labels"}.get(form, form)
    require_same(imported(source, tmp_path / "again", "--from", kind, *flags))


def test_geojson_of_rasters_lies_on_the_ground(drawn: Drawn, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="the package rasterio is not installed")
    place = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    for name, mask in MASKS.items():
        values = np.dstack([mask, mask, mask])
        write_tiff(tmp_path / "in" / f"{name}.tif", values, crs="EPSG:32633", transform=place)
    assert predict_files(drawn, [tmp_path / "in"], tmp_path / "in", form="geojson").done == 2
    content = json.loads((tmp_path / "in/a.geojson").read_text())
    longitude, latitude = content["features"][0]["geometry"]["coordinates"][0][0]
    assert (longitude, latitude) == (pytest.approx(15, abs=0.01), pytest.approx(45.15, abs=0.01))
    flags = ("--from", "geojson", "--background", "ignore", "--classes", tmp_path / "in/classes.json")
    require_same(imported(tmp_path / "in", tmp_path / "again", *flags))


def test_geojson_of_pictures_is_in_pixels(drawn: Drawn, source: Path) -> None:
    predict_files(drawn, [source / "images"], source / "out", form="geojson")
    content = json.loads((source / "out/a.geojson").read_text())
    assert content == result_of(MASKS["a"], "a").to_geojson() | {"features": content["features"]}
    rings = [ring for feature in content["features"] for ring in feature["geometry"]["coordinates"]]
    assert np.concatenate(rings).max(0).tolist() == [70, 50]


def test_npz_has_confidence_and_names(drawn: Drawn, source: Path) -> None:
    predict_files(drawn, [source / "images"], source / "out", form="npz")
    with np.load(source / "out/a.mask.npz", allow_pickle=False) as content:
        np.testing.assert_array_equal(content["mask"], MASKS["a"])
        assert content["confidence"].tolist() == np.ones((50, 70)).tolist()
        assert content["classes"].tolist() == list(LABELS.classes)


def test_ignored_pixels_and_names_in_labelme() -> None:
    mask = mask_of(40, 50)
    mask[20:25, 20:30] = LABELS.ignore
    content = json.loads(encode(result_of(mask, "a"), "labelme", Input("a.png", "a")))
    assert {shape["label"] for shape in content["shapes"]} == {*LABELS.classes, "__ignore__"}
    assert (content["imagePath"], content["imageData"]) == ("a.png", None)


def test_one_coco_file_whatever_the_number_of_shares(drawn: Drawn, tmp_path: Path) -> None:
    for number in range(5):
        write_picture(tmp_path / "in" / f"{number % 2}" / f"{number}.png", mask_of(40, 50, number))
    (tmp_path / "in/0/bad.png").touch()
    found = set()
    for count in (1, 2, 3):
        out = tmp_path / f"out{count}"
        for number in range(count):
            assert not (out / "coco.json").exists()
            predict_files(drawn, [tmp_path / "in"], out, form="coco", share=(number, count))
        found.add(((out / "coco.json").read_bytes(), (out / "results.jsonl").read_bytes()))
        assert sorted(file.name for file in out.iterdir() if file.is_file()) == [
            ".results.jsonl.finished",
            "classes.json",
            "coco.json",
            "results.jsonl",
        ]
    ((coco, _),) = found
    content = json.loads(coco)
    names = ["0/0.png", "0/2.png", "0/4.png", "1/1.png", "1/3.png"]
    assert [(image["id"], image["file_name"]) for image in content["images"]] == [*enumerate(names, 1)]
    numbers = [annotation["id"] for annotation in content["annotations"]]
    assert numbers == [*range(1, len(numbers) + 1)]
    assert {annotation["image_id"] for annotation in content["annotations"]} == {1, 2, 3, 4, 5}


def test_a_coco_run_that_was_broken_off_goes_on(drawn: Drawn, source: Path, tmp_path: Path) -> None:
    def interrupt(record: Record, total: int) -> None:
        raise KeyboardInterrupt

    whole, out = tmp_path / "whole", tmp_path / "out"
    predict_files(drawn, [source / "images"], whole, form="coco")
    with pytest.raises(KeyboardInterrupt):
        predict_files(drawn, [source / "images"], out, interrupt, form="coco")
    assert not (out / "coco.json").exists()
    assert predict_files(drawn, [source / "images"], out, form="coco").before == 1
    assert (out / "coco.json").read_bytes() == (whole / "coco.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        predict_files(drawn, [source / "images/a.png"], whole, interrupt, form="png")
    assert all("coco_picture" not in line for line in (whole / "results.jsonl").read_text().splitlines())


def test_coco_of_other_pictures_is_not_written_over(drawn: Drawn, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict_files(drawn, [source / "images/a.png"], out, form="coco")
    before = (out / "coco.json").read_bytes()
    with pytest.raises(SegNextError, match=r"coco\.json: is there already, of other pictures; name these too"):
        predict_files(drawn, [source / "images/sub"], out, form="coco")
    assert (out / "coco.json").read_bytes() == before
    predict_files(drawn, [source / "images"], out, form="coco")
    assert [image["file_name"] for image in json.loads((out / "coco.json").read_text())["images"]] == [
        "a.png",
        "sub/b.png",
    ]


def test_annotations_by_hand_are_not_written_over(drawn: Drawn, source: Path) -> None:
    images = source / "images"
    (images / "a.json").write_text("by hand")
    predict_files(drawn, [images / "a.png"], images)
    predict_files(drawn, [images / "a.png"], images, form="labelme")
    assert (images / "a.json").read_text() == "by hand"
    assert json.loads((images / "a_2.json").read_text())["imagePath"] == "a.png"
    predict_files(drawn, [images / "a.png"], images, form="labelme")
    assert not (images / "a_3.json").exists()
    (source / "data.yaml").write_text("names: [something]")
    with pytest.raises(SegNextError, match=r"data\.yaml: is there already and lists other classes"):
        predict_files(drawn, [images], source, form="yolo")


def test_formats_that_cannot_be() -> None:
    many = Labels("toy", ("a", "b"), ((0, 0, 0), (1, 1, 1)), multi_label=True)
    with pytest.raises(SegNextError, match="multi-label, and yolo has no holes"):
        require_format("yolo", many)
    with pytest.raises(SegNextError, match="format is 'pngs'; did you mean png"):
        require_format("pngs", LABELS)  # type: ignore[arg-type]
    with pytest.raises(SegNextError, match="'grey' is for masks as png"):
        require_format("coco", LABELS, "grey")


@pytest.fixture
def piped(pictures: Path, weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`segnext predict - --out -` of bytes."""

    def predict(content: bytes, *flags: object) -> int:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        return main(
            ["predict", "-", "--out", "-", "--weights", str(weights_file), "--engine", "torch", *map(str, flags)]
        )

    return predict


def test_from_stdin_to_stdout(
    segmenter: Segmenter,
    piped: Callable[..., int],
    pictures: Path,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    expected = segmenter(pictures / "a.png")
    content = (pictures / "a.png").read_bytes()
    assert piped(content, "--precision", "fp32", "--json", tmp_path / "a.json") == 0
    mask = PIL.Image.open(io.BytesIO(capsysbinary.readouterr().out))
    np.testing.assert_array_equal(np.asarray(mask), expected.mask)
    (line,) = json.loads((tmp_path / "a.json").read_text())
    assert (line["file"], line["shares"], line["files"]) == ("-", expected.shares, {})
    assert piped(content, "--format", "coco") == 0
    assert json.loads(capsysbinary.readouterr().out)["images"][0]["height"] == 40
    assert piped(b"nothing") == 2
    out, error = capsysbinary.readouterr()
    assert out == b""
    assert b"predict: -: " in error


def test_stdin_into_a_folder(
    segmenter: Segmenter, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((pictures / "a.png").read_bytes())))
    summary = predict_files(segmenter, ["-"], tmp_path / "out", form="labelme")
    (record,) = summary.records()
    assert (record.file, record.files) == ("-", {"labelme": "image.json", "overlay": "image.overlay.png"})
    assert imported(tmp_path / "out", tmp_path / "again", "--from", "labelme")["image"].shape == (40, 61)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["a.png", "b.png", "--out", "-"], "--out - writes the mask of one picture"),
        (["nowhere.png", "--out", "-"], "nowhere.png: no such file"),
        (["a.png", "--out", "-", "--json", "-"], "--out - and --json - both write to stdout"),
        (["a.mp4", "--format", "coco"], "--format coco is for pictures; leave it out for videos"),
        (["a.tif", "--out", "labels.tif", "--format", "npz"], "--format npz is for pictures; leave it out for rasters"),
        (["a.png", "--format", "cocoo"], "did you mean coco"),
    ],
)
def test_wrong_uses(
    arguments: list[str],
    problem: str,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(pictures)
    assert main(["predict", *arguments]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert problem in error
