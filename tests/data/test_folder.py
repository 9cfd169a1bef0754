"""Data set folders and masks: what is found, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scenes import write_scenes

from segnext import pillow
from segnext.data.folder import Folder, Pair, read_mask
from segnext.errors import SegNextError
from segnext.labels import Labels

LABELS = Labels("toy", ("sky", "road"), ((0, 0, 0), (9, 9, 9)), 255)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, {"train": 3, "val": 1}, height=24, width=32)
    return folder


@pytest.fixture
def data(scenes: Path, tmp_path: Path) -> Path:
    return shutil.copytree(scenes, tmp_path / "toy")


def save(path: Path, values: object, mode: str | None = None) -> Path:
    picture = PIL.Image.fromarray(np.asarray(values))
    (picture if mode is None else picture.convert(mode)).save(path)
    return path


def test_pairs_are_sorted_and_have_the_same_stems(data: Path) -> None:
    folder = Folder.open(data)
    assert folder.labels.name == "scenes"
    assert len(folder.labels) == 11
    assert folder.splits() == ["train", "val"]
    assert folder.pairs("train") == [
        Pair(data / f"images/train/000{n}.png", data / f"masks/train/000{n}.png") for n in range(3)
    ]


def test_nested_folders_and_dots_in_names(data: Path) -> None:
    for part in ("images", "masks"):
        nested = data / part / "train" / "b" / "c"
        nested.mkdir(parents=True)
        (data / part / "train" / "0001.png").rename(nested / "frame.7.png")
    (data / "images/train/.DS_Store").touch()
    (data / "images/train/0000.png").rename(data / "images/train/0000.jpg")
    pairs = Folder.open(data).pairs("train")
    assert [pair.image.relative_to(data).as_posix() for pair in pairs] == [
        "images/train/0000.jpg",
        "images/train/0002.png",
        "images/train/b/c/frame.7.png",
    ]
    assert pairs[2].mask == data / "masks/train/b/c/frame.7.png"


def test_a_picture_without_a_mask_is_named(data: Path) -> None:
    (data / "masks/train/0001.png").unlink()
    (data / "masks/train/0002.png").unlink()
    with pytest.raises(SegNextError, match=r"images/train/0001\.png: has no mask .*\(2 of 3 pictures of split 'train'"):
        Folder.open(data).pairs("train")


def test_missing_and_empty_splits(data: Path) -> None:
    with pytest.raises(SegNextError, match=r"images/test: no such split; choose from train, val"):
        Folder.open(data).pairs("test")
    (data / "images/empty").mkdir()
    with pytest.raises(SegNextError, match=r"images/empty: there is no picture"):
        Folder.open(data).pairs("empty")


def test_a_folder_without_images_has_no_splits(data: Path) -> None:
    (data / "images").rename(data / "pictures")
    with pytest.raises(SegNextError, match="there is none in this data set"):
        Folder.open(data).pairs("train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"classes: [", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"", "cannot read the class list"),
        (b"classes: [sky, 3]", "a class is called 3; names are texts"),
        (b"classes: [{name: sky, color: [.inf, 0, 0]}]", "a class's color is \\[inf, 0, 0\\]; it must be"),
        (b"classes: [sky, road]\nignore: .inf", "'ignore' is inf; it must be a label"),
        (b"classes: [sky]", "'sky' is its only class"),
        (b"classes: [sky, road]\nclasses: [a, b]", "not valid YAML .'classes' is said twice line 2"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nclasses: *c", "its anchor 'c' is not defined"),
        (b"[" * 100_000, ".* 50 levels"),
    ],
)
def test_damaged_yaml(data: Path, content: bytes, message: str) -> None:
    (data / "dataset.yaml").write_bytes(content)
    with pytest.raises(SegNextError, match=rf"dataset\.yaml: {message}") as raised:
        Folder.open(data)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("line", "meant"), [("ignor: 11", "ignore"), ("multilabel: true", "multi_label")])
def test_a_typo_in_a_field(data: Path, line: str, meant: str) -> None:
    file = data / "dataset.yaml"
    file.write_text(f"{file.read_text()}\n{line}\nlicence: CC0\n")
    with pytest.raises(SegNextError, match=rf"says '{line.split(':')[0]}', which means nothing; write '{meant}'"):
        Folder.open(data)
    file.write_text(file.read_text().replace(line, ""))
    Folder.open(data)  # other fields are the user's own


def test_missing_folder_and_missing_yaml(data: Path) -> None:
    (data / "dataset.yaml").unlink()
    with pytest.raises(
        SegNextError, match=r"no dataset\.yaml; .*: segnext data check .*: segnext data init .* --like NAME"
    ):
        Folder.open(data)
    data = data.rename(data.with_name("my data"))
    with pytest.raises(SegNextError, match=r"segnext data check '.*my data'; where"):
        Folder.open(data)
    with pytest.raises(SegNextError, match="no such data set folder"):
        Folder.open(data / "nowhere")
    with pytest.raises(SegNextError, match="no such data set folder"):
        Folder.open(data / "images/train/0000.png")


def test_masks_of_every_8_bit_kind_are_read_as_labels(tmp_path: Path) -> None:
    values = np.array([[0, 1, 255], [1, 1, 0]], np.uint8)
    grey = save(tmp_path / "grey.png", values)
    palette = PIL.Image.fromarray(values)
    palette.putpalette([7, 7, 7] * 256)
    palette.save(tmp_path / "palette.png")
    save(tmp_path / "bits.png", values == 1)
    for file in (grey, tmp_path / "palette.png"):
        mask = read_mask(file, LABELS)
        assert mask.dtype == np.uint8
        assert mask.tolist() == values.tolist()
    with PIL.Image.open(tmp_path / "bits.png") as bits:
        assert bits.mode == "1"
    assert read_mask(tmp_path / "bits.png", LABELS).tolist() == [[0, 1, 0], [1, 1, 0]]


def test_foreign_labels_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "mask.png", np.array([[0, 2], [7, 255]], np.uint8))
    with pytest.raises(SegNextError, match=r"mask\.png: holds label 2, which is neither .* 2 classes \(0 to 1\)"):
        read_mask(file, LABELS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_other_modes_are_refused(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        file = save(tmp_path / "mask.png", np.zeros((2, 2), np.uint16))
    else:
        file = save(tmp_path / "mask.png", np.zeros((2, 2), np.uint8), mode)
    with pytest.raises(SegNextError, match=rf"mask\.png: a mask of mode {mode};"):
        read_mask(file, LABELS)


def test_unreadable_masks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8))
    content = whole.read_bytes()
    for name, damaged in {"empty": b"", "text": b"not a picture", "cut": content[: len(content) // 2]}.items():
        file = tmp_path / f"{name}.png"
        file.write_bytes(damaged)
        with pytest.raises(SegNextError, match=rf"{name}\.png: cannot be read as a mask"):
            read_mask(file, LABELS)
    with pytest.raises(SegNextError, match=r"gone\.png: cannot be read as a mask"):
        read_mask(tmp_path / "gone.png", LABELS)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    assert read_mask(whole, LABELS).shape == (64, 64)  # Pillow's limit on pixels is not ours
    monkeypatch.setattr(pillow, "MAX_PIXELS", 100)
    with pytest.raises(SegNextError, match=r"whole\.png: cannot be read as a mask"):
        read_mask(whole, LABELS)


def test_damaged_bytes_never_end_in_another_error(tmp_path: Path) -> None:
    content = bytearray(save(tmp_path / "whole.png", np.eye(16, dtype=np.uint8)).read_bytes())
    random = np.random.default_rng(0)
    file = tmp_path / "damaged.png"
    refused = 0
    for _ in range(200):
        damaged = content.copy()
        for position in random.integers(8, len(content), 3):
            damaged[position] = random.integers(256)
        file.write_bytes(damaged)
        try:
            read_mask(file, LABELS)
        except SegNextError:
            refused += 1
    assert refused > 100
