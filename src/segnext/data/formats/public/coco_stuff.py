"""COCO-Stuff 164k (Caesar et al., 2018): pictures of COCO 2017 and the PNGs of stuffthingmaps_trainval2017."""

from functools import partial
from pathlib import Path

from segnext.data.coding import by_value
from segnext.data.formats.public.layout import Layout, find_root, paired
from segnext.data.known import known_labels

SPLITS = {"train": "train2017", "val": "val2017"}
IMAGES, MASKS = ("images", "."), ("annotations", "stuffthingmaps_trainval2017", "stuffthingmaps")
EXPECTED = (
    "images/train2017, images/val2017, annotations/train2017, annotations/val2017 with the PNGs of stuffthingmaps"
)

# COCO category ids run from 1 to 182; these eleven were given up before the release and have no pixel.
GAPS = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91))
LAST_ID = 182


def open_layout(path: Path) -> Layout:
    """Value v of the masks is category id v + 1; the 171 ids in use become labels 0 to 170, and 255 is ignored.

    The pictures may lie in images/ or directly in the folder, the masks in annotations/ or under their own name.
    """
    root = find_root(
        path, "COCO-Stuff 164k", EXPECTED, [f"{masks}/{split}" for masks in MASKS for split in SPLITS.values()]
    )
    labels = known_labels("coco_stuff")
    used = [category - 1 for category in range(1, LAST_ID + 1) if category not in GAPS]
    values = {value: label for label, value in enumerate(used)}
    coding = by_value("COCO-Stuff 164k", {**values, 255: labels.ignore})
    found = {}
    for split, folder in SPLITS.items():
        images = [root / place / folder for place in IMAGES if (root / place / folder).is_dir()]
        masks = [root / place / folder for place in MASKS if (root / place / folder).is_dir()]
        if images and masks:
            found[split] = partial(paired, images[0], masks[0], coding)
    return Layout(path, labels, found)
