from pathlib import Path

import pytest

from segnext.data.formats.class_lists import read_class_list
from segnext.errors import SegNextError
from segnext.labels import UNNAMED


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8-sig")
    return folder / name


def test_roboflow(tmp_path: Path) -> None:
    file = written(tmp_path, "_classes.csv", 'Pixel Value, Class\r\n0, background\r\n2, "wall, low"\r\n')
    labels = read_class_list(file)
    assert labels.classes == ("background", "class 1", "wall, low")
    assert labels.ignore == 255
    assert labels.name == UNNAMED


def test_cvat(tmp_path: Path) -> None:
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nred fox:160,96,64::\n"
    labels = read_class_list(written(tmp_path, "labelmap.txt", text))
    assert labels.classes == ("background", "red fox")
    assert labels.colors == ((0, 0, 0), (160, 96, 64))


def test_names_with_colours(tmp_path: Path) -> None:
    text = 'name,r,g,b,class_4\nSky, 128, 128, 128, 0\n"wall, low",0,0,192,1\n'
    labels = read_class_list(written(tmp_path, "class_dict.csv", text))
    assert labels.classes == ("Sky", "wall, low")
    assert labels.colors == ((128, 128, 128), (0, 0, 192))


def test_supervisely(tmp_path: Path) -> None:
    text = '{"classes": [{"title": "Land (unpaved)", "color": "#8429F6"}, {"title": "Road"}], "tags": []}'
    labels = read_class_list(written(tmp_path, "meta.json", text))
    assert labels.classes == ("Land (unpaved)", "Road")
    assert labels.colors[0] == (0x84, 0x29, 0xF6)


def test_a_dataset_yaml_in_json(tmp_path: Path) -> None:
    text = '{"name": "toy", "classes": ["sky", "road"], "ignore": 7}'
    labels = read_class_list(written(tmp_path, "labels.json", text))
    assert (labels.name, labels.classes, labels.ignore) == ("toy", ("sky", "road"), 7)


def test_names_on_lines(tmp_path: Path) -> None:
    labels = read_class_list(written(tmp_path, "labels.txt", "__ignore__\n_background_\npotted plant\n\n"))
    assert labels.classes == ("_background_", "potted plant")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_classes.csv", "filename, dog, cat\na.jpg, 0, 1\n"),
        ("class_dict.csv", "name, r, g, b\nsky, 1, 2, 256\n"),
        ("labels.txt", "These labels were drawn by three people in one long summer.\n"),
        ("labels.txt", ""),
        ("classes.txt", "cat\ncat\n"),
        ("meta.json", '{"classes": [{"title": "cat", "color": "green"}]}'),
        ("meta.json", '{"classes": [{"title": 3}]}'),
        ("classes.json", '[{"title": "cat"}]'),
        ("classes.json", '{"classes": '),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(SegNextError, match=name):
        read_class_list(written(tmp_path, name, text))
