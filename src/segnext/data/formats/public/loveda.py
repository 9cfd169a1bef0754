"""LoveDA (Wang et al., 2021): SPLIT/{Urban,Rural}/images_png/*.png and masks_png/*.png."""

from functools import partial
from pathlib import Path

from segnext.data.coding import Coding, by_value
from segnext.data.folder import Pair
from segnext.data.formats.public.layout import Layout, find_root, paired
from segnext.data.known import known_labels

EXPECTED = "Train and Val with Urban/images_png, Urban/masks_png, Rural/images_png, Rural/masks_png"
SPLITS = {"train": "Train", "val": "Val", "test": "Test"}


def open_layout(path: Path) -> Layout:
    """Value 1 of the masks is class 0, and 0, no data, is ignored; the masks of Test are not public.

    The splits `train` and `val` hold both domains, `train_urban`, `train_rural`, ... one.
    """
    root = find_root(path, "LoveDA", EXPECTED, list(SPLITS.values()))
    labels = known_labels("loveda")
    values = {value: value - 1 for value in range(1, len(labels) + 1)}
    coding = by_value("LoveDA", {**values, 0: labels.ignore})
    found = {}
    for split, folder in SPLITS.items():
        domains = [place for place in ("Rural", "Urban") if (root / folder / place / "masks_png").is_dir()]
        if domains:
            found[split] = partial(_pairs, [root / folder / domain for domain in domains], coding)
        found |= {f"{split}_{domain.lower()}": partial(_pairs, [root / folder / domain], coding) for domain in domains}
    return Layout(path, labels, found)


def _pairs(places: list[Path], coding: Coding) -> list[Pair]:
    return [pair for place in places for pair in paired(place / "images_png", place / "masks_png", coding)]
