"""Several masks of a picture become one, by each rule; matrices are masks too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segnext.data.folder import Folder
from segnext.data.formats.journal import ImportSummary
from segnext.data.formats.options import Options
from segnext.data.formats.run import import_dataset
from segnext.errors import SegNextError

A, B, BOTH = (slice(0, 6), slice(0, 6)), (slice(3, 8), slice(3, 10)), (slice(3, 6), slice(3, 6))


def save(path: Path, *regions: tuple[slice, slice], value: int = 255, color: bool = False) -> None:
    mask = np.zeros((8, 10), np.uint8)
    for region in regions:
        mask[region] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([mask, mask // 2, mask], 2) if color else mask).save(path)


def bring(source: Path, kind: str = "objects", **options: Any) -> tuple[ImportSummary, Folder]:
    out = source.parent / "out"
    return import_dataset(kind, out, Options(source, **options)), Folder.open(out)


def mask_of(folder: Folder, name: str) -> NDArray[np.uint8]:
    pair = next(pair for pair in folder.pairs("train") if pair.image.stem == name)
    return pair.read_mask(folder.labels)


def per_class(root: Path, how: str) -> None:
    """Masks of cracks and holes; that of hole 2 in a number of its own."""
    for name in ("p0", "p1", "p2"):
        save(root / f"images/{name}.jpg", A, color=True)
        crack, hole = {
            "suffix": (f"masks/{name}_crack.png", f"masks/{name}_hole.png"),
            "folder": (f"masks/crack/{name}.png", f"masks/hole/{name}.png"),
        }[how]
        save(root / crack, A)
        if name != "p2":  # has no hole
            save(root / hole, B, value=1)


@pytest.mark.parametrize("how", ["suffix", "folder"])
def test_a_mask_for_each_class(tmp_path: Path, how: str) -> None:
    per_class(tmp_path / "in", how)
    summary, folder = bring(tmp_path / "in")
    assert folder.labels.classes == ("background", "crack", "hole")
    assert (summary.imported, summary.failed) == (3, 0)
    mask = mask_of(folder, "p0")
    assert (mask[0, 0], mask[4, 4], mask[7, 9], mask[7, 0]) == (1, 2, 2, 0)
    assert set(np.unique(mask_of(folder, "p2"))) == {0, 1}
    assert summary.notes() == {"pixels in masks of several classes, of which the last counts": (18, 2)}


def test_the_order_of_classes_and_several_at_once(tmp_path: Path) -> None:
    per_class(tmp_path / "in", "suffix")
    _, folder = bring(tmp_path / "in", names=("hole", "crack"))
    assert folder.labels.classes == ("background", "hole", "crack")
    assert mask_of(folder, "p0")[4, 4] == 2
    import_dataset("objects", tmp_path / "two", Options(tmp_path / "in", merge="multi-label"))
    folder = Folder.open(tmp_path / "two")
    planes = mask_of(folder, "p0")
    assert folder.labels.multi_label
    assert planes.shape == (2, 8, 10)
    assert planes[:, 4, 4].tolist() == [1, 1]
    assert not mask_of(folder, "p2")[1].any()
    again = import_dataset("objects", tmp_path / "two", Options(tmp_path / "in", merge="multi-label"))
    assert again.kept == 3
    with pytest.raises(SegNextError, match="names and folders of the masks tell crack, hole, which"):
        import_dataset("objects", tmp_path / "three", Options(tmp_path / "in", names=("cracks",), merge="order"))


def test_a_mask_for_each_object(tmp_path: Path) -> None:
    for name in ("s0", "s1"):
        save(tmp_path / f"in/{name}/images/{name}.png", A, color=True)
        save(tmp_path / f"in/{name}/masks/o1{name}.png", A)
        save(tmp_path / f"in/{name}/masks/o2{name}.png", B)
    _, folder = bring(tmp_path / "in", names=("background", "cell"))
    assert folder.labels.classes == ("background", "cell")
    assert int(mask_of(folder, "s0").sum()) == 36 + 35 - 9


def test_people_vote(tmp_path: Path) -> None:
    for person, regions in {"ann": (A,), "bob": (A, B), "cyd": (B,)}.items():
        save(tmp_path / f"in/masks_{person}/a.png", *regions)
    save(tmp_path / "in/images/a.png", A, color=True)
    summary, folder = bring(tmp_path / "in", masks="masks_ann,masks_bob,masks_cyd", merge="vote")
    assert int(mask_of(folder, "a").sum()) == 36 + 35 - 9
    assert summary.notes() == {}
    two = import_dataset(
        "objects", tmp_path / "two", Options(tmp_path / "in", masks="masks_ann,masks_cyd", merge="vote")
    )
    assert two.notes() == {"pixels on which as many people say one class as another, ignored": (53, 1)}


def test_a_class_for_each_folder(tmp_path: Path) -> None:
    for kind in ("crack", "hole"):
        for number in range(3):
            save(tmp_path / f"in/images/{kind}/{kind}{number}.png", A, color=True)
            save(tmp_path / f"in/masks/{kind}/{kind}{number}.png", A)
    _, folder = bring(tmp_path / "in")
    assert folder.labels.classes == ("background", "crack", "hole")
    assert mask_of(folder, "crack1")[0, 0] == 1
    assert mask_of(folder, "hole2")[0, 0] == 2


@pytest.mark.parametrize("merge", ["order", "union", "multi-label"])
def test_pixels_between_black_and_white_are_counted(tmp_path: Path, merge: str) -> None:
    per_class(tmp_path / "in", "suffix")
    grey = np.zeros((8, 10), np.uint8)
    grey[A], grey[7, :4], grey[7, 4:] = 255, 100, 200
    Image.fromarray(grey).save(tmp_path / "in/masks/p0_crack.png")
    summary, _ = bring(tmp_path / "in", merge=merge)
    assert summary.notes()["pixels between black and white divided by the threshold"] == (10, 1)


@pytest.mark.parametrize(("suffix", "labels"), [(".txt", "labels"), (".csv", "masks"), (".npy", "labels")])
def test_matrices_of_labels(tmp_path: Path, suffix: str, labels: str) -> None:
    matrix = np.zeros((8, 10), np.int64)
    matrix[A], matrix[B] = 1, 2
    for name in ("p0", "p1"):
        save(tmp_path / f"in/images/{name}.png", A, color=True)
        file = tmp_path / f"in/{labels}/{name}{suffix}"
        file.parent.mkdir(exist_ok=True)
        if suffix == ".npy":
            np.save(file, matrix)
        else:
            np.savetxt(file, matrix, "%d", delimiter="," if suffix == ".csv" else " ")
    summary, folder = bring(tmp_path / "in", "text")
    assert (summary.imported, summary.failed, len(folder.labels)) == (2, 0, 3)
    np.testing.assert_array_equal(mask_of(folder, "p1"), matrix)


@pytest.mark.parametrize("content", [b"", b"a b c", b"1 2\n3", b"\x93NUMPY\x01\x00", b"1.5 2\n3 4"])
@pytest.mark.filterwarnings("ignore")
def test_matrices_that_are_none_are_named(tmp_path: Path, content: bytes) -> None:
    for name in ("p0", "p1"):
        save(tmp_path / f"in/images/{name}.png", A, color=True)
        file = tmp_path / f"in/labels/{name}{'.npy' if content.startswith(bytes([0x93])) else '.txt'}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    with pytest.raises(SegNextError, match="no class was found"):
        import_dataset("text", tmp_path / "out", Options(tmp_path / "in"))
    summary = import_dataset("text", tmp_path / "out", Options(tmp_path / "in", names=("a", "b")))
    assert {record.kind for record in summary.records} <= {"unreadable mask", "fractions"}
