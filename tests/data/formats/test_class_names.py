"""Names of annotations become class names, and what has none is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segnext.cli import main
from segnext.data.folder import Folder, read_mask
from segnext.data.formats.binary import open_source
from segnext.data.formats.labels import open_source as open_labels
from segnext.data.formats.options import Options
from segnext.errors import SegNextError


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path)


def labelme(root: Path) -> Path:
    """Two pictures: one rectangle of 'pothole ', one of 'Pothole'."""
    for stem, label in (("a", " pothole "), ("b", "Pothole")):
        picture(root / f"{stem}.png")
        shapes = [{"label": label, "points": [[0, 0], [1, 3]], "shape_type": "rectangle"}]
        content = {"shapes": shapes, "imageHeight": 4, "imageWidth": 6, "imagePath": f"{stem}.png"}
        (root / f"{stem}.json").write_text(json.dumps(content))
    return root


def coco(root: Path, **changes: Any) -> Path:
    picture(root / "a.png")
    square = {"image_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]], "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}],
        "annotations": [{"id": 1, "category_id": 7, **square}],
        "categories": [{"id": 7, "name": "car "}, {"id": 8, "name": "Car"}],
    }
    (root / "train.json").write_text(json.dumps({**content, **changes}))
    return root


def test_names_alike_are_told_and_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(labelme(tmp_path / "in"))
    assert main(["data", "import", source, str(tmp_path / "one"), "--from", "labelme"]) == 0
    assert Folder.open(tmp_path / "one").labels.classes == ("background", "Pothole", "pothole")
    assert (
        "'pothole' and 'Pothole'; if they mean one class, import into a new folder with --rename 'Pothole:pothole'"
        in (capsys.readouterr().out)
    )
    words = ["data", "import", source, str(tmp_path / "two"), "--from", "labelme", "--rename", "Pothole:pothole"]
    assert main(words) == 0
    assert "case" not in capsys.readouterr().out
    folder = Folder.open(tmp_path / "two")
    assert folder.labels.classes == ("background", "pothole")
    assert read_mask(tmp_path / "two/masks/train/b.png", folder.labels)[0].tolist() == [1, 1, 0, 0, 0, 0]


def test_names_unlike_the_class_list_by_case_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(labelme(tmp_path / "in"))
    (tmp_path / "names.txt").write_text("background\npothole\n")
    words = ["data", "import", source, str(tmp_path / "out"), "--from", "labelme", "--classes"]
    assert main([*words, str(tmp_path / "names.txt")]) == 2
    assert "say --rename 'Pothole:pothole', or say --others ignore" in capsys.readouterr().err


def test_the_commonest_spelling_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = labelme(tmp_path / "in")
    file = source / "b.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "shapes": content["shapes"] * 2}))
    assert main(["data", "import", str(source), str(tmp_path / "one"), "--from", "labelme"]) == 0
    assert "--rename 'pothole:Pothole'" in capsys.readouterr().out


def test_the_background_keeps_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = labelme(tmp_path / "in")
    for file in source.glob("*.json"):
        file.write_text(file.read_text().replace("pothole", "Background").replace("Pothole", "Background"))
    words = ["data", "import", str(source), str(tmp_path / "one"), "--from", "labelme"]
    assert main(words) == 0
    assert "--rename 'Background:background'" in capsys.readouterr().out


def test_shapes_ignored_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("background\npothole\n")
    words = ["data", "import", str(labelme(tmp_path / "in")), str(tmp_path / "out"), "--from", "labelme"]
    assert main([*words, "--classes", str(tmp_path / "names.txt"), "--others", "ignore"]) == 0
    assert "shapes of 'Pothole', which no class claims, ignored: 1 (in 1 mask)" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with NumPy 2
def test_coco_annotations_ignored_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("background\nCar\n")
    words = ["data", "import", str(coco(tmp_path / "in")), str(tmp_path / "out"), "--from", "coco"]
    assert main([*words, "--classes", str(tmp_path / "names.txt"), "--others", "ignore"]) == 0
    told = capsys.readouterr().out
    assert "annotations of category 'car', which no class claims, ignored: 1 (in 1 mask)" in told


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with NumPy 2
def test_categories_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(coco(tmp_path / "in"))
    assert main(["data", "import", source, str(tmp_path / "out"), "--from", "coco", "--rename", "Car:car"]) == 0
    folder = Folder.open(tmp_path / "out")
    assert folder.labels.classes == ("background", "car")
    assert read_mask(tmp_path / "out/masks/train/a.png", folder.labels)[0].tolist() == [1, 1, 0, 0, 0, 0]


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_annotations_of_unlisted_categories_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    square = {"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}
    annotations = [{"id": 3, "image_id": 1, "category_id": 9, **square}, {"id": 4, "image_id": 5, "category_id": 7}]
    source = str(coco(tmp_path / "in", annotations=annotations))
    words = ["data", "import", source, str(tmp_path / "out"), "--from", "coco"]
    assert main(words) == 2
    told = capsys.readouterr().out
    assert (
        "annotation 3 has category 9, which its list 'categories' does not have; add it there, or say --others" in told
    )
    assert "1 annotation is of pictures that its list 'images' does not have: annotation 4 is of picture 5" in told
    assert main([*words, "--others", "ignore"]) == 1
    assert "annotations of category 9, which no class claims, ignored: 1 (in 1 mask)" in capsys.readouterr().out
    assert "category 9, which no class claims" in (tmp_path / "out/import.jsonl").read_text()
    folder = Folder.open(tmp_path / "out")
    assert read_mask(tmp_path / "out/masks/train/a.png", folder.labels)[0].tolist() == [255, 255, 0, 0, 0, 0]


def test_masks_named_are_inverted(tmp_path: Path) -> None:
    for stem in ("a", "b.1"):
        picture(tmp_path / f"in/images/{stem}.png")
        (tmp_path / "in/masks").mkdir(exist_ok=True)
        Image.fromarray(np.array([[0, 255, 255]] * 4, np.uint8).repeat(2, axis=1)).save(
            tmp_path / f"in/masks/{stem}.png"
        )
    words = ["data", "import", str(tmp_path / "in"), str(tmp_path / "out"), "--from", "binary", "--invert"]
    assert main([*words, "masks/b.1"]) == 0
    labels = Folder.open(tmp_path / "out").labels
    rows = [read_mask(tmp_path / f"out/masks/train/{stem}.png", labels)[0].tolist() for stem in ("a", "b.1")]
    assert rows == [[0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]]
    with pytest.raises(SegNextError, match="--invert: there is no mask 'c' in "):
        open_source(Options(tmp_path / "in", invert=("c",)))


def test_labels_of_masks_named_are_shifted(tmp_path: Path) -> None:
    for stem, row in (("a", [0, 1, 255]), ("b", [1, 2, 255])):
        picture(tmp_path / f"in/images/{stem}.png")
        (tmp_path / "in/masks").mkdir(exist_ok=True)
        Image.fromarray(np.array([row] * 4, np.uint8).repeat(2, axis=1)).save(tmp_path / f"in/masks/{stem}.png")
    words = ["data", "import", str(tmp_path / "in"), str(tmp_path / "out"), "--from", "labels"]
    assert main([*words, "--offset", "-1", "--offset-in", "b.png"]) == 0
    labels = Folder.open(tmp_path / "out").labels
    assert labels.classes == ("class 0", "class 1")
    for stem in "ab":
        assert read_mask(tmp_path / f"out/masks/train/{stem}.png", labels)[0].tolist() == [0, 0, 1, 1, 255, 255]
    with pytest.raises(SegNextError, match="--offset-in: there is no mask 'c' in "):
        open_labels(Options(tmp_path / "in", offset=-1, offset_in=("c",)))
    with pytest.raises(SegNextError, match="--offset-in names the masks that --offset is for"):
        open_labels(Options(tmp_path / "in", offset_in=("b",)))
    with pytest.raises(SegNextError, match="--invert exchanges two classes, but there are 3"):
        open_labels(Options(tmp_path / "in", invert=("b",)))
