"""Advice for messes of a newcomer's: it runs, and what it says is so."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from messy_folder import Folder
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from segnext.cli import main
from segnext.data.doctor.charts import MOST_CLASSES, class_title, draw_classes
from segnext.data.doctor.check import check
from segnext.data.doctor.findings import Severity
from segnext.data.folder import Folder as DataSet
from segnext.data.folder import read_mask
from segnext.data.known import labels_for_count


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mess")


def follow(fix: str, destination: Path) -> int:
    """Run the import in a sentence of advice, without what follows it; its exit code."""
    found = re.search(r"segnext data import .*? DEST( --[\w-]+ [^ ]+)*", fix)
    assert found, fix
    return main([str(destination) if word == "DEST" else word for word in shlex.split(found[0])[1:]])


def errors(root: Path) -> list[str]:
    return [finding.code for finding in check(root).findings if finding.severity is Severity.ERROR]


def disc(size: int = 64, index: int = 0, radius: float = 0.3) -> NDArray[np.uint8]:
    """A white disc on black, in another place for each index."""
    y, x = np.mgrid[:size, :size] / size
    inside = (x - 0.4 - 0.02 * index) ** 2 + (y - 0.45 - 0.01 * index) ** 2 < radius**2
    return np.where(inside, np.uint8(255), np.uint8(0))


def test_classes_under_two_names_are_merged(folder: Folder, tmp_path: Path) -> None:
    folder.clean()
    text = (folder.root / "dataset.yaml").read_text().replace("name: house", "name: Grass")
    (folder.root / "dataset.yaml").write_text(text)
    found = folder.found()
    assert "'grass' and 'Grass'" in found["classes-alike"].title
    assert follow(found["classes-alike"].fix, tmp_path / "new") == 0
    data = DataSet.open(tmp_path / "new")
    assert data.labels.classes == ("grass", "road")
    row = read_mask(data.path / "masks/train/a0.png", data.labels)[30]
    assert row[[2, 30, 60]].tolist() == [0, 1, 0]
    assert "classes-alike" not in {finding.code for finding in check(tmp_path / "new").findings}


def test_rare_classes_of_two_names_are_told_once(folder: Folder) -> None:
    folder.clean(0)
    folder.classes(4)
    text = (folder.root / "dataset.yaml").read_text().replace("name: water", "name: Grass")
    (folder.root / "dataset.yaml").write_text(text)
    for index in range(5):
        folder.pair(f"a{index}")
        folder.pair(f"b{index}", "val")
    mask = folder.mask()
    mask[5, 5] = 3
    folder.pair("rare", mask=mask)
    assert {"classes-alike"} <= folder.found().keys()
    assert "rare-classes" not in folder.found()


def test_inverted_masks_are_mended(folder: Folder, tmp_path: Path) -> None:
    for index in range(10):
        folder.save(f"images/{index}.png", folder.picture(64, 64))
        folder.save(f"masks/{index}.png", disc(index=index) ^ np.uint8(255 * (index in (3, 7))))
    fix = folder.found()["inverted-masks"].fix
    assert fix.endswith("--from binary --invert 3,7")
    assert follow(fix, tmp_path / "new") == 0
    assert "inverted-masks" not in {finding.code for finding in check(tmp_path / "new").findings}


def test_swapped_folders_are_told(folder: Folder) -> None:
    for index in range(6):
        noise = folder.generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        folder.save(f"masks/{index}.png", noise)
        folder.save(f"images/{index}.png", disc(index=index))
    found = folder.found()
    assert "exchange the names" in found["photo-masks"].fix
    assert not [finding.fix for finding in found.values() if "segnext data import" in finding.fix]


def test_fractions_are_divided_in_the_middle(folder: Folder, tmp_path: Path) -> None:
    for index in range(3):
        folder.save(f"images/{index}.png", folder.picture(64, 64))
        soft = np.asarray(Image.fromarray(disc(index=index)).filter(ImageFilter.GaussianBlur(2)), np.float32)
        folder.save(f"masks/{index}.tif", Image.fromarray(soft / 255))
    found = folder.found()
    assert follow(found["float-masks"].fix, tmp_path / "one") == 0
    assert follow(found["other-layout"].fix, tmp_path / "two") == 0
    assert errors(tmp_path / "two") == []


@pytest.mark.parametrize(
    ("size", "blur"), [(32, 0.6), (32, 1.0), (48, 1.0), (48, 2.0), (64, 1.0), (64, 2.0), (96, 1.0)]
)
def test_small_blurred_masks_are_black_and_white(folder: Folder, tmp_path: Path, size: int, blur: float) -> None:
    for index in range(6):
        folder.save(f"images/{index}.png", folder.picture(size, size))
        soft = Image.fromarray(disc(size, index)).filter(ImageFilter.GaussianBlur(blur))
        folder.save(f"masks/{index}.png", soft)
    found = folder.found()
    assert {"binary-masks", "blurred-masks"} <= found.keys()
    assert follow(found["blurred-masks"].fix, tmp_path / "new") == 0


def test_three_grey_levels_of_small_blurred_masks_stay_three(folder: Folder) -> None:
    for index in range(6):
        folder.save(f"images/{index}.png", folder.picture(64, 64))
        levels = np.where(disc(64, index, 0.12) > 0, np.uint8(128), disc(64, index))  # 2.6 % keep it
        folder.save(f"masks/{index}.png", Image.fromarray(levels).filter(ImageFilter.GaussianBlur(0.6)))
    assert "binary-masks" not in folder.found()


def test_one_colour_mask_among_black_and_white_gets_one_advice(folder: Folder, tmp_path: Path) -> None:
    for index in range(6):
        folder.save(f"images/{index}.png", folder.picture(64, 64))
        folder.save(f"masks/{index}.png", disc(index=index))
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = disc()
    folder.save("masks/2.png", red)
    advised = [finding.fix for finding in folder.found().values() if "segnext data import" in finding.fix]
    assert len(advised) >= 3
    assert {"--from binary" in fix for fix in advised} == {True}
    assert follow(advised[0], tmp_path / "new") == 1


def test_a_chart_that_leaves_classes_out_says_so(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert class_title("labels", 60, 60) == "classes"
    assert class_title("colors", 9, 12) == "the first 9 of 12 colours of the masks"
    folder.clean()
    entries = "".join(f"  - {{name: c{i}, color: [{i}, 0, 0]}}\n" for i in range(MOST_CLASSES + 11))
    (folder.root / "dataset.yaml").write_text(f"name: many\nclasses:\n{entries}ignore: 255\n")
    said: list[str] = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_title", lambda axes, text: said.append(text))
    draw_classes(Figure(), check(folder.root))
    assert said == ["the first 60 of 71 classes"]


def test_the_chart_of_classes_is_a_key_to_the_colours(folder: Folder) -> None:
    folder.clean()
    figure, report = Figure(), check(folder.root)
    draw_classes(figure, report)
    labels, axes = report.case.labels, figure.axes[0]
    assert labels is not None
    drawn = [to_rgb(patch.get_facecolor()) for patch in axes.patches]
    assert drawn[-len(labels) :] == pytest.approx(np.array(labels.colors) / 255)
    figure = Figure()
    (folder.root / "dataset.yaml").unlink()
    draw_classes(figure, check(folder.root))  # in the order of their shares
    names = [int(text.get_text()) for text in figure.axes[0].get_yticklabels()]
    drawn = [to_rgb(patch.get_facecolor()) for patch in figure.axes[0].patches]
    assert drawn[-len(names) :] == pytest.approx(np.array(labels_for_count(256).colors)[names] / 255)


def test_a_folder_of_masks_for_all_and_one_for_half_of_the_pictures(folder: Folder) -> None:
    for index in range(8):
        folder.save(f"images/{index:02}_photo.png", folder.picture(64, 64))
        folder.save(f"1st/{index:02}_manual1.png", disc(index=index))
        if index < 4:
            folder.save(f"2nd/{index:02}_manual2.png", disc(index=index, radius=0.2))
    title = folder.found()["mask-choice"].title
    assert title == "2 mask folders fit the same pictures: 1st/*_manual1 (8), 2nd/*_manual2 (4); choose with --masks"


def test_black_and_white_written_as_grey_and_as_palette(folder: Folder, tmp_path: Path) -> None:
    for index in range(6):
        folder.save(f"images/{index}.png", folder.picture(64, 64))
        if index < 2:
            folder.save(f"masks/{index}.png", disc(index=index))
        else:
            mask = Image.fromarray(np.where(disc(index=index) > 0, np.uint8(251), np.uint8(0)))
            mask.putpalette([0, 0, 0] * 251 + [255, 102, 51] * 5)
            folder.save(f"masks/{index}.png", mask)
    found = folder.found()
    assert found["mixed-binary"].title == "2 masks of 0 and 255 among 4 masks of 0 and 251"
    assert "grey-levels" not in found
    advised = {finding.fix for finding in found.values() if "segnext data import" in finding.fix}
    assert len(advised) == 1
    assert follow(advised.pop(), tmp_path / "new") == 0
    data = DataSet.open(tmp_path / "new")
    shares = [read_mask(data.path / f"masks/train/{index}.png", data.labels).mean() for index in range(6)]
    assert len(data.labels) == 2
    assert 0.2 < min(shares) <= max(shares) < 0.35


def test_three_labels_of_grey_and_palette_masks_are_no_black_and_white(folder: Folder) -> None:
    for index in range(6):
        folder.save(f"images/{index}.png", folder.picture(64, 64))
        folder.save(f"masks/{index}.png", np.where(disc(index=index) > 0, np.uint8(200 + index % 2), np.uint8(0)))
    assert "mixed-binary" not in folder.found()


def test_pictures_damaged_as_texts_are_told(folder: Folder) -> None:
    folder.clean()
    file = folder.root / "masks/train/a1.png"
    file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
    assert "a1.png (a PNG whose line ends were changed" in folder.found()["unreadable-masks"].files[0]


def test_annotations_of_via_are_known(folder: Folder) -> None:
    folder.save("a.png", folder.picture())
    (folder.root / "via_region_data.json").write_text(
        '{"a.png1": {"regions": [{"shape_attributes": {"name": "rect"}}]}}'
    )
    assert folder.found()["annotations"].title.startswith("VGG Image Annotator: 1 file")
