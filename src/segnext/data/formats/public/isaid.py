"""iSAID (Waqas Zamir et al., 2019): pictures of DOTA and *_instance_color_RGB.png, cut into tiles."""

from functools import partial
from pathlib import Path

from segnext.data.coding import Coding, by_color
from segnext.data.folder import Pair
from segnext.data.formats.public.layout import Layout, find_root
from segnext.data.known import known_labels
from segnext.files import walk

EXPECTED = "train/images and val/images with P*.png, and P*_instance_color_RGB.png there or in SPLIT/Semantic_masks"
ENDING = "_instance_color_RGB"
SIDE, STRIDE = 896, 512  # of the tiles that the released results are of, which overlap by 384 pixels


def open_layout(path: Path) -> Layout:
    """16 classes by colour, background (black) first; every pair is a tile of 896 x 896 pixels.

    Tiles overlap, and evaluation counts them one by one, as that of the published results does.
    """
    root = find_root(path, "iSAID", EXPECTED, ["train", "val"], ["iSAID"])
    labels = known_labels("isaid")
    coding = by_color("iSAID", zip(labels.colors, range(len(labels)), strict=True))
    found = {split: partial(_pairs, root / split, coding) for split in ("train", "val") if (root / split).is_dir()}
    return Layout(path, labels, found, (SIDE, STRIDE))


def _pairs(folder: Path, coding: Coding) -> list[Pair]:
    files = [file for file in walk(folder) if file.suffix == ".png"]
    masks = {file.stem.removesuffix(ENDING): file for file in files if file.stem.endswith(ENDING)}
    images = [file for file in files if "_instance_" not in file.stem]
    expected = folder / "Semantic_masks" / "images"
    return [Pair(file, masks.get(file.stem, expected / f"{file.stem}{ENDING}.png"), coding) for file in images]
