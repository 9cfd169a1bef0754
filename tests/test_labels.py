"""The class list of a data set, and what is wrong with others."""

from typing import Any

import pytest

from segnext.errors import SegNextError
from segnext.labels import Labels

SKY = {"name": "sky", "color": [1, 2, 3]}
ROAD = {"name": "road", "color": [4, 5, 6]}


def test_reading_and_writing() -> None:
    content = {"name": "toy", "classes": [SKY, ROAD], "ignore": 2}
    labels = Labels.from_dict(content, "dataset.yaml")
    assert labels == Labels("toy", ("sky", "road"), ((1, 2, 3), (4, 5, 6)), 2)
    assert len(labels) == 2
    assert labels.to_dict() == content


def test_what_may_be_left_out() -> None:
    labels = Labels.from_dict({"classes": [SKY]}, "dataset.yaml")
    assert labels == Labels("dataset", ("sky",), ((1, 2, 3),), 255)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "cannot read the class list"),
        (None, "cannot read the class list"),
        ([SKY], "cannot read the class list"),
        ({"classes": None}, "cannot read the class list"),
        ({"classes": [["sky"]]}, r"a class is called \['sky'\]; names are texts"),
        ({"classes": [{"name": False}]}, "a class is called False; names are texts: put it in quotes"),
        ({"classes": ["\x1b[2J"]}, "cannot be printed"),
        ({"classes": [{"name": "sky", "color": [1, 2]}]}, r"color is \[1, 2\]; it must be \[red, green, blue\]"),
        ({"classes": [{"name": "sky", "color": [1, 2, 256]}]}, r"color is \[1, 2, 256\]; it must be"),
        ({"classes": [SKY], "ignore": "none"}, "'ignore' is 'none'; it must be a label"),
        ({"classes": [SKY, ROAD], "ignore": 0}, "the label of class 'sky'; use a label from 2 to 255; .* --offset -1"),
        ({"classes": []}, "class names must be present and unique"),
        ({"classes": [SKY, SKY]}, "class names must be present and unique"),
        ({"classes": [SKY], "ignore": 256}, "'ignore' is 256; it must be a label from 0 to 255"),
        ({"classes": [SKY], "ignore": -1}, "'ignore' is -1; it must be a label from 0 to 255"),
        ({"classes": [SKY, ROAD], "ignore": 1}, "'ignore' is 1, the label of class 'road'; use a label from 2 to 255"),
    ],
)
def test_what_is_refused(content: Any, message: str) -> None:
    with pytest.raises(SegNextError, match=f"^file.yaml: .*{message}") as raised:
        Labels.from_dict(content, "file.yaml")
    assert "\n" not in str(raised.value)


def test_classes_may_be_plain_names() -> None:
    labels = Labels.from_dict({"classes": ["no", "yes"]}, "file.yaml")
    assert (labels.classes, labels.colors) == (("no", "yes"), ((0, 0, 0), (128, 0, 0)))
