from collections import Counter

import pytest

from segnext.data.known import KNOWN, known_labels
from segnext.errors import SegNextError

CLASSES = {
    "ade20k": 150,
    "camvid": 11,
    "camvid_32": 31,
    "cityscapes": 19,
    "coco_stuff": 171,
    "isaid": 16,
    "loveda": 7,
    "pascal_context": 59,
    "pascal_context_60": 60,
    "potsdam": 6,
    "vaihingen": 6,
    "voc": 21,
}


def test_every_label_set_has_its_number_of_classes() -> None:
    assert {name: len(known_labels(name)) for name in KNOWN} == CLASSES


@pytest.mark.parametrize("name", KNOWN)
def test_label_sets_are_named_after_their_file_and_keep_the_usual_ignore_label(name: str) -> None:
    labels = known_labels(name)
    assert labels.name == name
    assert labels.ignore == (11 if name == "camvid" else 255)
    assert all(each == each.strip() and each for each in labels.classes)


@pytest.mark.parametrize("name", KNOWN)
def test_colors_differ_but_for_the_one_pair_of_the_original_ade20k_palette(name: str) -> None:
    labels = known_labels(name)
    repeated = [color for color, count in Counter(labels.colors).items() if count > 1]
    if name != "ade20k":
        assert repeated == []
        return
    assert [each for each, color in zip(labels.classes, labels.colors, strict=True) if color in repeated] == [
        "road",
        "skyscraper",
    ]


@pytest.mark.parametrize(
    ("name", "label", "meaning", "color"),
    [
        ("camvid", 4, "pavement", (60, 40, 222)),
        ("camvid", 10, "bicyclist", (0, 128, 192)),
        ("cityscapes", 0, "road", (128, 64, 128)),
        ("cityscapes", 18, "bicycle", (119, 11, 32)),
        ("ade20k", 0, "wall", (120, 120, 120)),
        ("ade20k", 149, "flag", (92, 0, 255)),
        ("voc", 15, "person", (192, 128, 128)),
        ("coco_stuff", 170, "wood", (64, 64, 0)),
        ("pascal_context", 0, "aeroplane", (180, 120, 120)),
        ("pascal_context_60", 0, "background", (120, 120, 120)),
        ("isaid", 14, "plane", (0, 127, 255)),
        ("loveda", 6, "agricultural", (255, 195, 128)),
        ("potsdam", 4, "car", (255, 255, 0)),
    ],
)
def test_labels_mean_what_they_do_in_the_data_sets(
    name: str, label: int, meaning: str, color: tuple[int, int, int]
) -> None:
    labels = known_labels(name)
    assert (labels.classes[label], labels.colors[label]) == (meaning, color)


def test_names_are_found_in_any_case_and_unknown_ones_are_answered_with_the_list() -> None:
    assert known_labels("CamVid") == known_labels("camvid")
    with pytest.raises(SegNextError, match=r"'kitty' is not a known label set; choose from ade20k, camvid, .*voc"):
        known_labels("kitty")


def test_the_ignore_label_can_be_replaced_but_not_by_a_class() -> None:
    assert known_labels("camvid", ignore=255).ignore == 255
    with pytest.raises(SegNextError, match="the label of class 'tree'"):
        known_labels("camvid", ignore=5)
