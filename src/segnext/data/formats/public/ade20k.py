"""ADE20K, SceneParse150 (Zhou et al., 2017): images/SPLIT/*.jpg, annotations/SPLIT/*.png."""

from functools import partial
from pathlib import Path

from segnext.data.coding import by_value
from segnext.data.formats.public.layout import Layout, find_root, paired
from segnext.data.known import known_labels

SPLITS = {"train": "training", "val": "validation"}
EXPECTED = "images/training, images/validation, annotations/training, annotations/validation"


def open_layout(path: Path) -> Layout:
    """ADEChallengeData2016, or the folder it lies in; value 1 of the masks is class 0, and 0 is ignored."""
    root = find_root(path, "ADE20K", EXPECTED, ["annotations"], ["ADEChallengeData2016"])
    labels = known_labels("ade20k")
    values = {value: value - 1 for value in range(1, len(labels) + 1)}
    coding = by_value("ADE20K", {**values, 0: labels.ignore, 255: labels.ignore})
    found = {
        split: partial(paired, root / "images" / folder, root / "annotations" / folder, coding)
        for split, folder in SPLITS.items()
        if (root / "annotations" / folder).is_dir()
    }
    return Layout(path, labels, found)
