"""Whatever the format: which files are pairs, nothing is lost, interrupted imports go on, rotated pictures fit."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import draw_scene

from segnext.data.doctor.check import check
from segnext.data.doctor.findings import Severity
from segnext.data.folder import Folder, read_mask
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import find_pairs
from segnext.data.formats.run import import_dataset
from segnext.data.formats.splits import assign_splits
from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.pillow import upright

Array = NDArray[np.uint8]


def save(array: Array, path: Path, orientation: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(array)
    if orientation == 1:
        picture.save(path)
        return
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def pairs(root: Path, **options: str) -> list[tuple[str, str, str]]:
    found, _ = find_pairs(Options(root, **options))  # type: ignore[arg-type]
    return [(x.name, x.image.relative_to(root).as_posix(), x.mask.relative_to(root).as_posix()) for x in found]


@pytest.mark.parametrize(
    ("image", "mask", "name"),
    [
        ("images/a/1.jpg", "masks/a/1.png", "a/1"),
        ("a/images/1.jpg", "a/masks/1.png", "a/1"),
        ("train_img/1.jpg", "train_label/1.png", "train/1"),
        ("train/rgb/1.tif", "train/semseg-label37/1.png", "train/1"),
        ("1.jpg", "1_mask.png", "1"),
        ("area/104_sat.jpg", "area/104_mask.png", "area/104"),
        ("images/1.jpg", "masks/1.jpg.png", "1"),
        ("images/0001TP_1.png", "labels/0001TP_1_L.png", "0001TP_1"),
        ("Image/1.JPG", "Mask/1.PNG", "1"),
        ("images/top_2_10_RGB.tif", "labels/top_2_10_label.tif", "top_2_10"),
    ],
)
def test_pairs_in_many_arrangements(tmp_path: Path, image: str, mask: str, name: str) -> None:
    touch(tmp_path, image, mask, "README.md", ".DS_Store", "__MACOSX/images/1.jpg")
    assert pairs(tmp_path) == [(name, image, mask)]


def test_folders_can_be_named_and_what_is_alone_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "A/1.jpg", "B/1.png", "A/2.jpg", "B/3.png", "B/1.txt", "C/1.png")
    assert pairs(tmp_path, images="A", masks="B") == [("1", "A/1.jpg", "B/1.png")]
    _, problems = find_pairs(Options(tmp_path, images="A", masks="B"))
    assert [(x.file.relative_to(tmp_path).as_posix(), x.kind, x.expected) for x in problems] == [
        ("B/1.txt", "other files", True),
        ("C/1.png", "other pictures", True),
        ("A/2.jpg", "no mask", False),
        ("B/3.png", "no picture", False),
    ]
    with pytest.raises(SegNextError, match=r"name the folders in it by --images FOLDER and --masks FOLDER"):
        pairs(tmp_path)
    with pytest.raises(SegNextError, match="no such folder"):
        pairs(tmp_path, images="D")


def test_of_two_masks_for_one_picture_that_of_the_fuller_folder_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.jpg", "masks/1.png", "labels/1.png", "images/2.jpg", "masks/2.png")
    found, problems = find_pairs(Options(tmp_path))
    assert [(item.name, item.mask.parent.name) for item in found] == [("1", "masks"), ("2", "masks")]
    assert [(x.file.parent.name, x.kind) for x in problems] == [("labels", "further mask")]


def test_lists_of_splits(tmp_path: Path) -> None:
    touch(tmp_path / "in", *(f"{kind}/{n}.png" for kind in ("images", "masks") for n in range(4)))
    lists = tmp_path / "lists"
    touch(lists, "train.txt")
    (lists / "train.txt").write_text("images/0.png masks/0.png\n1\n")
    (lists / "valid.txt").write_text("2.png\r\n1\r\n")
    options = Options(tmp_path / "in", split_from=str(lists))
    items, problems, remarks = assign_splits(find_pairs(options)[0], options)
    assert [item.split for item in items] == ["train", "val", "val", "unlisted"]
    assert problems == []
    assert "pairs in no list, put into a split of their own, 'unlisted': 1" in remarks[-1]
    options = Options(tmp_path / "in", split_from="none")
    assert {item.split for item in assign_splits(items, options)[0]} == {"train"}
    with pytest.raises(SegNextError, match=r"has no list train\.txt"):
        assign_splits(items, Options(tmp_path / "in", split_from=str(tmp_path)))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotated_pictures_get_masks_that_fit(tmp_path: Path, orientation: int) -> None:
    image, labels = draw_scene(1, 32, 48)
    save(image, tmp_path / "in/images/a.png", orientation)
    save(labels, tmp_path / "in/masks/a.png")
    options = {"names": tuple("abcdefghijk")}
    summary = import_dataset("labels", tmp_path / "auto", Options(tmp_path / "in", **options))  # type: ignore[arg-type]
    if orientation < 5:
        assert [record.kind for record in summary.records] == ["rotation unclear"]
        assert "--exif upright or --exif stored" in summary.records[0].reason
    else:
        assert summary.notes() == {"masks turned as the EXIF data turn their pictures": (1, 1)}
    out = tmp_path / "stored"
    import_dataset("labels", out, Options(tmp_path / "in", exif="stored", **options))  # type: ignore[arg-type]
    mask = read_mask(out / "masks/train/a.png", Folder.open(out).labels)
    np.testing.assert_array_equal(mask, upright(labels, orientation))
    seen = read_image(out / "images/train/a.png")
    np.testing.assert_array_equal(seen, np.stack([upright(image[..., band], orientation) for band in range(3)], axis=2))


def test_masks_on_the_upright_picture_stay(tmp_path: Path) -> None:
    image, labels = draw_scene(1, 32, 48)
    save(image, tmp_path / "in/images/a.png", 6)
    save(upright(labels, 6), tmp_path / "in/masks/a.png")
    out = tmp_path / "out"
    summary = import_dataset("labels", out, Options(tmp_path / "in", names=tuple("abcdefghijk")))
    assert summary.notes() == {}
    np.testing.assert_array_equal(read_mask(out / "masks/train/a.png", Folder.open(out).labels), upright(labels, 6))


@pytest.mark.parametrize("exif", ["stored", "upright"])
def test_mixed_rotations_come_whole_and_stay_settled(tmp_path: Path, exif: str) -> None:
    image, labels = draw_scene(1, 32, 48)
    drawn = {"lying": (6, labels), "seen": (6, upright(labels, 6)), "half": (3, labels), "plain": (1, labels)}
    for name, (orientation, mask) in drawn.items():
        save(image, tmp_path / f"in/images/{name}.png", orientation)
        save(mask, tmp_path / f"in/masks/{name}.png")
    out, again = tmp_path / "out", tmp_path / "again"
    assert import_dataset("labels", out, Options(tmp_path / "in", like="camvid", exif=exif)).failed == 0
    half = upright(labels, 3) if exif == "stored" else labels
    expected = {"lying": upright(labels, 6), "seen": upright(labels, 6), "half": half, "plain": labels}
    assert check(out).count(Severity.ERROR) == 0
    assert not [finding for finding in check(out).findings if finding.code.startswith("exif")]
    assert import_dataset("labels", again, Options(out, like="camvid", exif="stored")).failed == 0
    for name, mask in expected.items():
        for folder in (out, again):
            found = read_mask(folder / f"masks/train/{name}.png", Folder.open(folder).labels)
            np.testing.assert_array_equal(found, mask)
    (out / "images/train/half.png").rename(out / "images/train/later.png")
    (out / "masks/train/half.png").rename(out / "masks/train/later.png")
    assert "exif-unclear" in {finding.code for finding in check(out).findings}  # of a picture that was added by hand


def scenes(root: Path, count: int) -> Options:
    for number in range(count):
        image, labels = draw_scene(number, 32, 48)
        save(image, root / f"images/sub/{number}.png")
        save(labels, root / f"masks/sub/{number}.png")
    return Options(root, like="camvid")


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*.*")}


def test_every_file_is_imported_or_named_and_the_source_is_untouched(tmp_path: Path) -> None:
    options = scenes(tmp_path / "in", 5)
    save(np.zeros((8, 9), np.uint8), tmp_path / "in/masks/sub/1.png")
    whole = (tmp_path / "in/images/sub/2.png").read_bytes()
    (tmp_path / "in/images/sub/2.png").write_bytes(whole[:1000])
    (tmp_path / "in/masks/sub/3.png").write_bytes(b"")
    (tmp_path / "in/images/sub/A.PNG").write_bytes(whole)
    (tmp_path / "in/images/sub/a.png").write_bytes(whole)
    (tmp_path / "in/masks/sub/A.png").write_bytes((tmp_path / "in/masks/sub/2.png").read_bytes())
    (tmp_path / "in/masks/sub/a.png").write_bytes((tmp_path / "in/masks/sub/2.png").read_bytes())
    before = snapshot(tmp_path / "in")
    summary = import_dataset("labels", tmp_path / "out", options)
    assert snapshot(tmp_path / "in") == before
    assert [(record.source, record.kind) for record in summary.records] == [
        ("images/sub/0.png", ""),
        ("images/sub/1.png", "sizes differ"),
        ("images/sub/2.png", "unreadable picture"),
        ("images/sub/3.png", "unreadable mask"),
        ("images/sub/4.png", ""),
        ("images/sub/A.PNG", ""),
        ("images/sub/a.png", ""),
    ]
    assert "the mask is 9 x 8, the picture 48 x 32 pixels" in summary.records[1].reason
    folder = Folder.open(tmp_path / "out")
    names = [pair.image.relative_to(tmp_path / "out/images").as_posix() for pair in folder.pairs("train")]
    assert names == ["train/sub/0.png", "train/sub/4.png", "train/sub/A.PNG", "train/sub/a-2.png"]
    lines = [json.loads(line) for line in (tmp_path / "out/import.jsonl").read_text().splitlines()]
    assert lines[0]["from"] == "labels"
    assert [line["source"] for line in lines[1:]] == [record.source for record in summary.records]


def test_a_second_run_keeps_what_is_complete(tmp_path: Path) -> None:
    options = scenes(tmp_path / "in", 4)
    out = tmp_path / "out"
    import_dataset("labels", out, options)
    before = snapshot(out / "masks")
    image, labels = draw_scene(9, 32, 48)
    save(labels, tmp_path / "in/masks/sub/3.png")  # changed, and one is new
    save(image, tmp_path / "in/images/sub/9.png")
    save(labels, tmp_path / "in/masks/sub/9.png")
    summary = import_dataset("labels", out, options)
    assert (summary.imported, summary.kept) == (5, 3)
    after = snapshot(out / "masks")
    assert {name for name in after if after[name] != before.get(name)} == {"train/sub/3.png", "train/sub/9.png"}
    with pytest.raises(SegNextError, match=r"other settings \(offset\)"):
        import_dataset("labels", out, Options(options.source, like="camvid", offset=1))
    (out / "images/train/sub/0.png").rename(out / "images/elsewhere.png")
    with pytest.raises(SegNextError, match="was moved or removed after the import"):
        import_dataset("labels", out, options)


def test_an_import_that_was_killed_goes_on(tmp_path: Path) -> None:
    options = scenes(tmp_path / "in", 40)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "segnext", "data", "import", str(options.source), str(out)]
    command += ["--from", "labels", "--like", "camvid"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    journal = out / "import.jsonl"  # the settings, and a line for each pair that is complete
    while process.poll() is None and not (journal.exists() and journal.read_text().count("\n") > 3):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = not (out / "dataset.yaml").exists()
    with (out / "import.jsonl").open("a") as file:
        file.write('{"source": "half a li')
    summary = import_dataset("labels", out, options)
    assert (summary.imported, summary.failed) == (40, 0)
    if killed:
        assert 1 <= summary.kept < 40
    labels = Folder.open(out).labels
    for number in (0, 1, 2, 39):
        np.testing.assert_array_equal(
            read_mask(out / f"masks/train/sub/{number}.png", labels), draw_scene(number, 32, 48)[1]
        )
    assert len((out / "import.jsonl").read_text().splitlines()) == 41


def test_links_instead_of_copies(tmp_path: Path) -> None:
    options = scenes(tmp_path / "in", 1)
    linked = Options(options.source, like="camvid", link=True)
    import_dataset("labels", tmp_path / "out", linked)
    picture = tmp_path / "out/images/train/sub/0.png"
    assert picture.samefile(tmp_path / "in/images/sub/0.png")
    assert [path.name for path in picture.parent.iterdir()] == ["0.png"]


def test_other_data_sets_are_not_written_into(tmp_path: Path) -> None:
    options = scenes(tmp_path / "in", 1)
    for inside in (tmp_path / "in", tmp_path / "in/out", tmp_path):
        with pytest.raises(SegNextError, match="never written to"):
            import_dataset("labels", inside, options)
    (tmp_path / "other/images").mkdir(parents=True)
    with pytest.raises(SegNextError, match="holds a data set already"):
        import_dataset("labels", tmp_path / "other", options)


def test_what_a_killed_import_left_half_written_is_removed(tmp_path: Path) -> None:
    for name in "ab":
        save(np.zeros((8, 10, 3), np.uint8), tmp_path / f"in/images/{name}.png")
        save(np.eye(8, 10, dtype=np.uint8), tmp_path / f"in/masks/{name}.png")
    options = Options(tmp_path / "in", names=("x", "y"))
    import_dataset("labels", tmp_path / "out", options)
    half = tmp_path / f"out/masks/train/.segnext-{'0' * 16}.png"
    half.write_bytes(b"half")
    assert import_dataset("labels", tmp_path / "out", options).kept == 2
    assert not half.exists()


def test_a_data_set_is_called_as_its_folder_unless_its_class_list_has_a_name(tmp_path: Path) -> None:
    save(np.zeros((8, 10, 3), np.uint8), tmp_path / "in/images/a.png")
    save(np.eye(8, 10, dtype=np.uint8), tmp_path / "in/masks/a.png")
    (tmp_path / "names.txt").write_text("soil\ncrack\n")
    for name, options in {
        "my cracks": {"names": ("soil", "crack")},
        "listed": {"classes": str(tmp_path / "names.txt")},
        "camvid": {"like": "camvid"},
    }.items():
        out = tmp_path / ("streets" if name == "camvid" else name)
        import_dataset("labels", out, Options(tmp_path / "in", **options))  # type: ignore[arg-type]
        assert Folder.open(out).labels.name == name
