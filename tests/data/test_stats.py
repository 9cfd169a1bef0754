from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raster_files import write_tiff
from scenes import write_scenes

from segnext.data.curate.stats import Stats, survey, together
from segnext.data.curate.stats_picture import draw
from segnext.data.folder import Folder
from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.labels import Labels

LABELS = Labels("two", ("a", "b", "c"), ((0, 0, 0), (255, 0, 0), (0, 255, 0)), 255)


def ignore(_does: str, _done: int, _total: int) -> None:
    pass


def small(root: Path) -> Folder:
    (root / "dataset.yaml").write_text(
        "classes: [{name: a, color: [0, 0, 0]}, {name: b, color: [9, 9, 9]}, {name: c, color: [1, 1, 1]}]"
    )
    for split, values in (("train", [(10, 0), (30, 1)]), ("val", [(20, 255)])):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for number, (grey, label) in enumerate(values):
            Image.new("RGB", (4, 2), (grey, grey + 1, 0)).save(root / f"images/{split}/{number}.png")
            mask = np.full((2, 4), label, np.uint8)
            mask[0, 0] = 0
            Image.fromarray(mask).save(root / f"masks/{split}/{number}.png")
    return Folder.open(root)


def test_statistics_of_hand_made_pictures(tmp_path: Path) -> None:
    found = survey(small(tmp_path), ["train", "val"], ignore)
    train, val = found["train"], found["val"]
    assert train.pixels.tolist() == [9, 7, 0]
    assert train.pictures.tolist() == [2, 1, 0]
    assert (train.ignored, val.ignored) == (0, 7)
    assert train.bands() == ([20.0, 21.0, 0.0], [10.0, 10.0, 0.0])
    whole = together([train, val])
    assert whole.count == 3
    assert whole.sizes == Counter({(2, 4): 3})
    assert whole.pixels.tolist() == [10, 7, 0]
    mean, deviation = whole.bands()
    assert mean == [20.0, 21.0, 0.0]
    assert deviation[0] == pytest.approx(np.sqrt(200 / 3), abs=1e-3)
    assert train.pixels.tolist() == [9, 7, 0]  # the parts stay as they are


def test_weights_are_those_of_training() -> None:
    from segnext.training.losses.class_weights import balanced_weights

    stats = Stats(LABELS)
    stats.pixels += np.array([900, 100, 0])
    weights = stats.weights(0.5)
    assert weights[1] / weights[0] == pytest.approx(3.0)
    assert weights @ stats.shares() == pytest.approx(1.0)
    np.testing.assert_allclose(weights, balanced_weights(stats.shares(), 0.5).numpy(), rtol=1e-6)


def test_pairs_that_cannot_be_read_are_named_and_the_rest_is_counted(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (tmp_path / "images/train/0.png").write_bytes(b"no picture")
    Image.new("L", (9, 9)).save(tmp_path / "masks/val/0.png")
    found = survey(folder, ["train", "val"], ignore)
    assert found["train"].count == 1
    assert "train/0.png: not an image" in found["train"].failures[0]
    assert "another size than its picture" in found["val"].failures[0]
    assert found["val"].bands() == ([], [])
    with pytest.raises(SegNextError, match="no such split"):
        survey(folder, ["test"], ignore)


def test_named_bands_are_told_in_their_own_units(tmp_path: Path) -> None:
    small(tmp_path)
    with (tmp_path / "dataset.yaml").open("a") as file:
        file.write("\nbands: [red, height]\nnodata: 0\n")
    for split, values in (("train", ((2000, 0.5), (4000, 1.5))), ("val", ((0, 0.25),))):
        for number, (red, height) in enumerate(values):
            (tmp_path / f"images/{split}/{number}.png").unlink()
            write_tiff(
                tmp_path / f"images/{split}/{number}.tif", np.full((2, 4, 2), (red, height), np.float32), nodata=-1
            )
    found = survey(Folder.open(tmp_path), ["train", "val"], ignore)
    assert found["train"].bands() == ([3000.0, 1.0], [1000.0, 0.5])
    whole = together(list(found.values()))
    assert whole.bands()[0] == [3000.0, 0.75]  # red was not measured in val
    assert whole.to_dict(0.5)["bands"] == ["red", "height"]
    draw(found, "bands", tmp_path / "stats.png")
    assert read_image(tmp_path / "stats.png").shape[1] == 1560


def test_pictures_with_unnamed_bands_are_told_of(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (tmp_path / "images/val/0.png").unlink()
    write_tiff(tmp_path / "images/val/0.tif", np.zeros((2, 4, 4), np.uint16))
    assert "val/0.tif: has 4 bands of 16 bits, but" in survey(folder, ["val"], ignore)["val"].failures[0]


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    write_scenes(tmp_path / "set", {"train": 2, "val": 1}, height=32, width=48)
    folder = Folder.open(tmp_path / "set")
    draw(survey(folder, ["train", "val"], ignore), "scenes", tmp_path / "stats.png")
    picture = read_image(tmp_path / "stats.png")
    assert picture.shape[1] == 1560
    for color in folder.labels.colors[:2]:
        assert (picture == color).all(2).sum() > 500  # the bars have the classes' colours


def test_a_pixel_counts_for_each_of_its_classes(tmp_path: Path) -> None:
    classes = "classes: [{name: crack, color: [255, 0, 0]}, {name: rust, color: [0, 255, 0]}]"
    (tmp_path / "masks/train/a").mkdir(parents=True)
    (tmp_path / "images/train").mkdir(parents=True)
    (tmp_path / "dataset.yaml").write_text(f"name: planes\n{classes}\nmulti_label: true\n")
    Image.new("RGB", (3, 2), (9, 9, 9)).save(tmp_path / "images/train/a.png")
    for name, rows in (
        ("crack", [[1, 1, 0], [0, 0, 0]]),
        ("rust", [[1, 0, 0], [0, 1, 1]]),
        ("ignore", [[0, 0, 1]] * 2),
    ):
        Image.fromarray(255 * np.array(rows, np.uint8)).save(tmp_path / f"masks/train/a/{name}.png")
    stats = survey(Folder.open(tmp_path), ["train"], lambda *_: None)["train"]
    assert stats.failures == []
    assert stats.pixels.tolist() == [2, 2]
    assert stats.ignored == 2
    assert stats.sizes == {(2, 3): 1}
