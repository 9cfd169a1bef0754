"""Files, folders and globs as a list of pictures with unique names."""

import itertools
import sys
from pathlib import Path

import pytest

from segnext.inference.sources import Input, expand, unique_names


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        *("b.jpg", "a.PNG", "notes.txt", ".hidden.png", "a.mask.png", "a.overlay.png"),
        *("deep/er/c.tif", "deep/d.webp", "text/readme.md", "odd[1].png"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def below(tree: Path, inputs: list[Input]) -> list[str]:
    assert all(entry.error is None for entry in inputs)
    return [Path(entry.file).relative_to(tree).as_posix() for entry in inputs]


def test_folder_is_searched_by_suffix_and_sorted(tree: Path) -> None:
    assert below(tree, expand([tree])) == ["a.PNG", "b.jpg", "deep/d.webp", "deep/er/c.tif", "odd[1].png"]


def test_files_keep_their_order_whatever_their_suffix(tree: Path) -> None:
    assert below(tree, expand([tree / "notes.txt", str(tree / "b.jpg")])) == ["notes.txt", "b.jpg"]


def test_globs(tree: Path) -> None:
    assert below(tree, expand([f"{tree}/*.jpg"])) == ["b.jpg"]
    assert below(tree, expand([f"{tree}/deep/**/*"])) == ["deep/d.webp", "deep/er/c.tif"]
    assert below(tree, expand([f"{tree}/odd[1].png"])) == ["odd[1].png"], "a file's own name goes first"
    assert below(tree, expand([f"{tree}/?.*"])) == ["a.PNG", "b.jpg"], "text and earlier outputs are left out"


def test_nothing_there_is_recorded(tree: Path) -> None:
    inputs = expand([tree / "missing.png", f"{tree}/*.gif", tree / "text", tree / "b.jpg"])
    assert [(entry.error or "").split(";")[0] for entry in inputs] == [
        "no such file",
        "no image matches",
        "no images in this folder",
        "",
    ]


def test_the_same_file_is_done_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    inputs = expand(["b.jpg", "./b.jpg", tree / "b.jpg", "deep/../b.jpg", "*.jpg", "nothing", "nothing"])
    assert [entry.file for entry in inputs] == ["b.jpg", "nothing"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["x/a.png", "x/b.png"], ["a", "b"]),
        (["x/a.png", "y/a.png", "y/b.png"], ["x_a", "y_a", "b"]),
        (["x/a.png", "x/a.jpg"], ["a_png", "a_jpg"]),
        (["x/a.png", "x/a.jpg", "y/a.jpg"], ["x_a_png", "x_a_jpg", "y_a_jpg"]),
        (["1/x/a.png", "2/x/a.png"], ["a_1", "a_2"]),
        (["1/x/a.png", "2/x/a.png", "3/a_2.png"], ["a_1", "a_3", "a_2"]),
        (["x/a.png", "y/a.png", "z/x_a.png"], ["x_a_png", "y_a_png", "x_a"]),
        (["x/a.png", "y/A.png"], ["x_a", "y_A"]),
        (["x/a.tar.png"], ["a.tar"]),
    ],
)
def test_names_are_unique_and_independent_of_order(tmp_path: Path, files: list[str], names: list[str]) -> None:
    paths = [str(tmp_path / file) for file in files]
    wanted = dict(zip(paths, names, strict=True))
    for order in itertools.permutations(paths):
        assert unique_names({path: Path(path).parent for path in order}) == wanted


def test_names_of_inputs(tree: Path) -> None:
    inputs = expand([tree / "b.jpg", tree / "missing.png"])
    assert [entry.name for entry in inputs] == ["b", ""]


def test_folders_below_a_folder_are_kept(tree: Path) -> None:
    (tree / "deep" / "b.jpg").touch()
    wanted = ["a", "b", "deep/b", "deep/d", "deep/er/c", "odd[1]"]
    assert [entry.name for entry in expand([tree])] == wanted
    assert [entry.name for entry in expand([f"{tree}/**/*"])] == wanted
    assert [entry.name for entry in expand([f"{tree}/deep/**/*.tif"])] == ["er/c"]
    assert [entry.name for entry in expand([tree / "deep" / "er" / "c.tif"])] == ["c"]


def test_names_do_not_depend_on_what_else_is_there(tree: Path) -> None:
    before = {entry.file: entry.name for entry in expand([tree])}
    for name in ("deep/er/b.png", "deep/odd[1].jpg", "z/a.png"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    after = {entry.file: entry.name for entry in expand([tree])}
    assert before.items() <= after.items()


def test_equal_names_below_two_folders(tree: Path) -> None:
    for name in ("one/sub/x.png", "two/sub/x.png", "two/y.png", "two/y.jpg"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    names = [entry.name for entry in expand([tree / "one", tree / "two"])]
    assert names == ["sub/one_x", "sub/two_x", "y_jpg", "y_png"]


def test_what_is_passed_over_is_told(tree: Path) -> None:
    (tree / "a.masks").mkdir()
    for name in ("film.mp4", "photo.raw", "deep/values.npy", "a.masks/sky.png", "results.jsonl", "classes.json"):
        (tree / name).touch()
    passed: list[str] = []
    expand([tree, tree / "text" / "readme.md"], passed.append)
    told = [Path(file).relative_to(tree).as_posix() for file in passed]
    assert told == ["deep/values.npy", "film.mp4", "notes.txt", "photo.raw", "text/readme.md"]


def test_pictures_called_as_masks_are_told_where_no_run_has_written(tmp_path: Path) -> None:
    for name in ("a.png", "scan.mask.png", "in/b.overlay.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    told: list[str] = []
    assert [Path(each.file).name for each in expand([tmp_path], told.append)] == ["a.png"]
    assert sorted(Path(each).name for each in told) == ["b.overlay.png", "scan.mask.png"]
    (tmp_path / "results.jsonl").write_text("")
    told.clear()
    expand([tmp_path], told.append)
    assert told == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    told: list[str] = []
    assert [entry.name for entry in expand([tmp_path], told.append)] == ["a"]
    assert told == [str(tmp_path / "b.png")]
