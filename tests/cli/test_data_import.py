from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raster_files import write_tiff
from scenes import draw_scene

from segnext.cli import main
from segnext.data.folder import Folder


def scenes(root: Path, count: int) -> Path:
    for number in range(count):
        image, labels = draw_scene(number, 32, 48)
        for kind, array in (("images", image), ("masks", labels + np.uint8(1))):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / f"{kind}/{number}.png")
    return root


def test_an_import_tells_what_became_of_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = scenes(tmp_path / "in", 3), tmp_path / "out"
    (source / "masks/2.png").unlink()
    words = ["data", "import", str(source), str(out), "--from", "labels", "--like", "camvid", "--offset", "-1"]
    assert main(words) == 1
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.splitlines() == [
        "imported: 2 pairs (2 train)",
        "  the source has no splits, so all are in 'train'; 'segnext data split' makes a val split of them",
        "not imported, no mask: 1",
        "  images/2.png: there is no mask of this name",
        f"all files and reasons: {out / 'import.jsonl'}",
        f"data set: {out}, without these (other options need another folder); next: segnext data check {out}",
    ]
    (source / "images/2.png").unlink()
    assert main(words) == 0
    again = capsys.readouterr().out
    assert again.startswith("imported: 2 pairs (2 train); 2 were there already\n")
    assert again.endswith(f"data set: {out}; next: segnext data check {out}\n")


def test_bands_of_the_pictures_get_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = scenes(tmp_path / "in", 1), tmp_path / "out"
    (source / "images/0.png").unlink()
    write_tiff(source / "images/0.tif", np.full((32, 48, 5), 700, np.uint16))
    words = ["data", "import", str(source), str(out), "--from", "labels", "--like", "camvid", "--offset", "-1"]
    assert main([*words, "--bands", "red,green,blue,nir,swir", "--nodata", "0"]) == 0
    text = (out / "dataset.yaml").read_text()
    assert text.endswith("bands: [red, green, blue, nir, swir]\nnodata: 0\n")
    bands = Folder.open(out).bands
    assert bands is not None
    assert (bands.names, bands.nodata) == (("red", "green", "blue", "nir", "swir"), 0.0)
    assert main([*words, "--bands", "r,g,b,n,s"]) == 0  # what is there stays, but for their names
    assert "1 were there already" in capsys.readouterr().out
    assert (out / "dataset.yaml").read_text().endswith("ignore: 11\nbands: [r, g, b, n, s]\n")
    words = ["data", "import", str(source), str(tmp_path / "like"), "--from", "labels", "--offset", "-1"]
    assert main([*words, "--classes", str(out / "dataset.yaml")]) == 0
    assert Folder.open(tmp_path / "like").bands == Folder.open(out).bands


def test_nothing_imported_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = scenes(tmp_path / "in", 1)
    assert main(["data", "import", str(source), str(tmp_path / "out"), "--from", "voc"]) == 2
    assert "there is no folder JPEGImages in it" in capsys.readouterr().err
    words = ["data", "import", str(source), str(tmp_path / "out"), "--from", "labels", "--names", "a"]
    assert main(words) == 2
    assert capsys.readouterr().out.startswith("imported: 0 pairs\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--from", "cityscapes", "--threshold", "9"], "--threshold means nothing for --from cityscapes"),
        (["--from", "binary", "--ignore-color", "#000000"], "--ignore-color means nothing for --from binary"),
        (["--from", "labels", "--map", "7-0"], "'7-0' is not LABEL:LABEL"),
        (["--from", "colors", "--ignore-color", "red"], "'red' is not a colour"),
        (["--from", "colors", "--tolerance", "500"], "500 is outside 0 to 442"),
        (["--from", "binary", "--nodata", "0"], "has 'nodata' but no 'bands'"),
        (["--from", "binary", "--bands", "a,a"], "--bands and --nodata: 'bands' is ['a', 'a']; list"),
        (["--from", "binary", "--names", "a"], "binary masks have two classes"),
        (["--from", "labels", "--map", "1:0", "--offset", "1"], "both change the labels"),
    ],
)
def test_options_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    source = scenes(tmp_path / "in", 1)
    assert main(["data", "import", str(source), str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_map_and_colours_are_read_in_both_spellings(tmp_path: Path) -> None:
    source = scenes(tmp_path / "in", 1)
    mapping = ",".join(f"{label + 1}:{label % 2}" for label in range(10)) + ", *:255"
    words = [
        "data",
        "import",
        str(source),
        str(tmp_path / "a"),
        "--from",
        "labels",
        "--map",
        mapping,
        "--names",
        "x, y",
    ]
    assert main(words) == 0
    labels = draw_scene(0, 32, 48)[1]
    with Image.open(tmp_path / "a/masks/train/0.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), np.where(labels < 10, labels % 2, 255))
    words = ["data", "import", str(source), str(tmp_path / "b"), "--from", "colors", "--ignore-color", "1,1,1"]
    assert main([*words, "--ignore-color", "#020202"]) == 0
    with Image.open(tmp_path / "b/masks/train/0.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask) == 255, labels < 2)
