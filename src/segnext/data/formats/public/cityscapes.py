"""Cityscapes (Cordts et al., 2016): leftImg8bit/SPLIT/CITY/*_leftImg8bit.png, gtFine/SPLIT/CITY/*_labelIds.png."""

from functools import partial
from pathlib import Path

from segnext.data.coding import by_value
from segnext.data.formats.cityscapes import LAST_ID, TRAIN_IDS
from segnext.data.formats.labels import IGNORE
from segnext.data.formats.public.layout import Layout, find_root, paired
from segnext.data.known import known_labels

EXPECTED = "leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and gtFine/SPLIT/CITY/*_gtFine_labelIds.png"
MASKS = {"train": "gtFine", "val": "gtFine", "test": "gtFine", "train_extra": "gtCoarse"}


def open_layout(path: Path) -> Layout:
    """The 34 label ids become the 19 train ids, the others are ignored; `train_extra` has the coarse masks.

    The masks of `test` are not public: in those of the download all pixels are ignored.
    """
    root = find_root(path, "Cityscapes", EXPECTED, ["leftImg8bit"])
    labels = known_labels("cityscapes")
    coding = by_value(
        "Cityscapes", {value: TRAIN_IDS.get(value, labels.ignore) for value in (*range(LAST_ID + 1), IGNORE)}
    )
    found = {
        split: partial(
            paired, root / "leftImg8bit" / split, root / kind / split, coding, "_leftImg8bit", f"_{kind}_labelIds.png"
        )
        for split, kind in MASKS.items()
        if (root / "leftImg8bit" / split).is_dir()
    }
    return Layout(path, labels, found)
