"""Several data sets as one, and their samples in shares."""

from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segnext.data.crops import Crops
from segnext.data.folder import Folder
from segnext.data.merged import Merged, merge
from segnext.data.mixed import Mixed
from segnext.data.transforms import Augment
from segnext.errors import SegNextError
from segnext.preprocess import Preprocess

MAP = """
classes: [road, car, bus, {name: sky, color: [1, 2, 3]}]
ignore: 200
data:
  town: {vehicle: [car, bus], dirt: road, logo: null}
"""


def data_set(folder: Path, name: str, classes: str, mask: list[list[int]], ignore: int = 255) -> Folder:
    """A folder whose only mask has these labels."""
    for kind in ("images", "masks"):
        (folder / kind / "train").mkdir(parents=True)
    (folder / "dataset.yaml").write_text(f"name: {name}\nclasses: {classes}\nignore: {ignore}\n")
    pixels = np.array(mask, np.uint8)
    PIL.Image.fromarray(pixels).save(folder / "masks/train/a.png")
    PIL.Image.fromarray(np.stack([pixels] * 3, 2)).save(folder / "images/train/a.png")
    return Folder.open(folder)


@pytest.fixture
def merged(tmp_path: Path) -> Merged:
    (tmp_path / "map.yaml").write_text(MAP)
    town = data_set(tmp_path / "t", "town", "[vehicle, road, dirt, logo]", [[0, 1, 2], [3, 9, 0]], ignore=9)
    sky = data_set(tmp_path / "s", "above", "[sky, bus]", [[0, 1, 255]])
    return merge([town, sky], tmp_path / "map.yaml")


def test_masks_hold_labels_of_the_whole_and_codes_of_sets(merged: Merged) -> None:
    assert (merged.labels.name, merged.sets, merged.splits()) == ("map", ((1, 2),), ["train"])
    assert [member.name for member in merged.members] == ["town", "above"]
    assert merged.members[0].stands_for == ((1, 2), (0,), (0,), ())
    coded = [merged.coded(member, "train")[0].read_mask(merged.labels).tolist() for member in merged.members]
    assert coded == [[[4, 0, 0], [200, 200, 4]], [[3, 2, 200]]]
    plain = [pair.read_mask(merged.labels).tolist() for pair in merged.pairs("train")]
    assert plain == [[[200, 0, 0], [200, 200, 200]], [[3, 2, 200]]]


def test_classes_have_the_colours_of_the_data_sets(tmp_path: Path) -> None:
    town = data_set(tmp_path / "t", "town", "[{name: road, color: [9, 9, 9]}, {name: car, color: [8, 0, 0]}]", [[0]])
    other = data_set(tmp_path / "o", "other", "[{name: road, color: [1, 1, 1]}, {name: tree, color: [8, 0, 0]}]", [[0]])
    (tmp_path / "map.yaml").write_text("classes: [road, {name: sky, color: [1, 2, 3]}, car, tree, bus]\n")
    merged = merge([town, other], tmp_path / "map.yaml")
    assert merged.labels.colors[:3] == ((9, 9, 9), (1, 2, 3), (8, 0, 0))  # of the first that has the class
    assert len({*merged.labels.colors}) == 5


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("logo: null", "logo: bird", "class 'logo' of 'town' stands for 'bird', and there is no class 'bird'"),
        (", logo: null", "", "class 'logo' of 'town' is not said to stand for anything, and there is no class 'logo'"),
        ("dirt:", "mud:", "'town' has no class 'mud'; its classes are vehicle, road, dirt, logo"),
        ("town:", "village:", "there is no data set 'village' given; those given are town, above"),
        ("{vehicle: [car, bus], dirt: road, logo: null}", "3", "under 'town' is 3; write a line"),
        ("data:", "data: 3 #", "'data' is 3; it lists"),
        ("ignore: 200", "ignore: 4", "4 classes and 1 sets of several are more than masks can hold"),
        ("classes: [road", "classes: road #", "cannot read the class list"),
    ],
)
def test_label_maps_that_do_not_fit(merged: Merged, before: str, after: str, message: str) -> None:
    text = MAP.replace(before, after)
    merged.path.write_text(text.split("\n  town")[0] if "data: 3" in text else text)
    with pytest.raises(SegNextError, match=message) as raised:
        merge([member.data for member in merged.members], merged.path)
    assert str(raised.value).startswith(str(merged.path))
    assert "\n" not in str(raised.value)


def test_samples_come_in_the_shares_that_are_asked_for(merged: Merged) -> None:
    parts = tuple(
        Crops(tuple(merged.coded(member, "train")), merged.labels, Preprocess(), (32, 32), Augment(), 0)
        for member in merged.members
    )
    mixed = Mixed(parts * 2, (1.0, 2.0, 0.5, 4.5))
    places = [mixed.place(number) for number in range(1600)]
    counts = Counter(part for part, _ in places)
    assert all(abs(counts[part] - wanted) <= 1 for part, wanted in enumerate((200, 400, 100, 900)))
    for part in range(4):
        own = [number for which, number in places if which == part]
        assert own == list(range(len(own)))  # all of its samples, in their order
    assert 190 <= Counter(part for part, _ in places[:800])[1] <= 210  # evenly spread
    assert mixed.name(places.index((1, 0))).endswith("s/images/train/a.png")
