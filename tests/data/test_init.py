from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from segnext.data.curate.init import init_dataset, survey, to_yaml
from segnext.data.known import KNOWN, known_labels
from segnext.errors import SegNextError
from segnext.labels import Labels


@pytest.mark.parametrize("name", KNOWN)
def test_the_written_file_reads_back_as_the_label_set(name: str, tmp_path: Path) -> None:
    path = init_dataset(tmp_path, name)
    assert path == tmp_path / "dataset.yaml"
    text = path.read_text(encoding="utf-8")
    assert Labels.from_dict(yaml.safe_load(text), str(path)) == known_labels(name)
    assert len(text.splitlines()) == len(known_labels(name)) + 3  # a class per line


def test_the_file_is_meant_for_people() -> None:
    labels = Labels("own: set", ("sky", "no"), ((128, 128, 128), (1, 2, 3)), 9)
    assert to_yaml(labels) == (
        "name: 'own: set'\n"
        "classes:\n"
        "  - {name: sky, color: [128, 128, 128]}\n"
        "  - {name: 'no', color: [1, 2, 3]}\n"
        "ignore: 9\n"
    )


def test_the_ignore_label_can_be_chosen(tmp_path: Path) -> None:
    path = init_dataset(tmp_path, "camvid", ignore=255)
    assert yaml.safe_load(path.read_text())["ignore"] == 255
    with pytest.raises(SegNextError, match="'camvid': 'ignore' is 3, the label of class 'road'"):
        init_dataset(tmp_path, "camvid", ignore=3)


def test_an_equal_file_is_kept_as_it_is_and_a_different_one_is_refused(tmp_path: Path) -> None:
    path = init_dataset(tmp_path, "voc")
    path.write_text("# my note\n" + path.read_text())
    assert init_dataset(tmp_path, "VOC") == path
    assert path.read_text().startswith("# my note\n")
    with pytest.raises(SegNextError, match="exists and differs from the label set 'camvid'"):
        init_dataset(tmp_path, "camvid")
    assert path.read_text().startswith("# my note\n")


@pytest.mark.parametrize("content", ["", "classes: [", "- 1", "classes: [{name: a}]", "\x00\x01"])
def test_a_file_that_cannot_be_understood_is_refused_too(content: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").write_text(content)
    with pytest.raises(SegNextError, match="exists and differs"):
        init_dataset(tmp_path, "camvid")
    assert (tmp_path / "dataset.yaml").read_text() == content


def test_a_missing_folder_is_made_and_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    assert init_dataset(tmp_path / "my/street", "camvid").is_file()
    (tmp_path / "file").touch()
    with pytest.raises(SegNextError, match="file: is a file; give the folder"):
        init_dataset(tmp_path / "file", "camvid")


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(SegNextError, match=r"dataset.yaml: cannot be written \(Permission denied\); make the folder"):
        init_dataset(tmp_path, "camvid")
    assert list(tmp_path.iterdir()) == []


def mask(folder: Path, name: str, *labels: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([labels], np.uint8)).save(folder / name)


def test_the_survey_counts_files_and_names_masks_that_do_not_fit(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / "images" / split / "town").mkdir(parents=True)
    for name in ("a.jpg", "town/b.webp", ".hidden"):
        (tmp_path / "images/train" / name).touch()
    mask(tmp_path / "masks/train", "a.png", 0, 10, 11)
    mask(tmp_path / "masks/train/town", "b.png", 3, 12, 200)
    Image.new("RGB", (2, 2)).save(tmp_path / "masks/train/c.png")
    (tmp_path / "masks/train/d.png").write_bytes(b"nothing")
    (tmp_path / "masks/train/notes.txt").touch()
    train, val = survey(tmp_path, known_labels("camvid"))
    assert (train.name, train.images, train.masks, train.sampled) == ("train", 2, 4, 4)
    assert (val.name, val.images, val.masks, val.sampled, val.problems) == ("val", 0, 0, 0, ())
    color, damaged, foreign = train.problems
    assert color.startswith(f"{tmp_path}/masks/train/c.png: a mask of mode RGB")
    assert damaged.startswith(f"{tmp_path}/masks/train/d.png: cannot be read")
    assert foreign == f"{tmp_path}/masks/train/town/b.png: holds 12, 200, outside 0 to 10 and not the ignore label 11"


def test_the_survey_opens_a_few_masks_of_many_and_none_of_an_empty_folder(tmp_path: Path) -> None:
    assert survey(tmp_path, known_labels("camvid")) == []
    for number in range(30):
        mask(tmp_path / "masks/train", f"{number:02d}.png", 0)
    (train,) = survey(tmp_path, known_labels("camvid"))
    assert (train.masks, train.sampled) == (30, 8)
