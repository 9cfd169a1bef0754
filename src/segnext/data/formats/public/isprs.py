"""ISPRS Potsdam and Vaihingen, 2D semantic labelling: large colour-coded TIFFs, cut into tiles."""

from functools import partial
from pathlib import Path

from segnext.data.coding import Coding, by_color
from segnext.data.folder import Pair
from segnext.data.formats.public.layout import Layout, find_root, paired
from segnext.data.known import known_labels

SIDE = 512  # of the tiles, which do not overlap but at the right and lower edge

# The tiles of val in the usual division; all others are those of train.
POTSDAM_VAL = frozenset(
    ("2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15", "5_13", "5_14", "5_15", "6_13", "6_14", "6_15", "7_13")
)
VAIHINGEN_VAL = frozenset(map(str, (2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38)))


def open_potsdam(path: Path) -> Layout:
    """Six classes by colour; the black border of the "noBoundary" masks is ignored."""
    masks = ("5_Labels_all", "5_Labels_all_noBoundary", "5_Labels_for_participants")
    expected = "2_Ortho_RGB/top_potsdam_*_RGB.tif and 5_Labels_all/top_potsdam_*_label.tif"
    root = find_root(path, "ISPRS Potsdam", expected, masks, ["Potsdam"])
    folder = next(root / name for name in masks if (root / name).is_dir())
    ending = "_label_noBoundary.tif" if folder.name.endswith("noBoundary") else "_label.tif"
    return _layout(path, "potsdam", root / "2_Ortho_RGB", folder, ("_RGB", ending), POTSDAM_VAL)


def open_vaihingen(path: Path) -> Layout:
    """Six classes by colour; the black border of the "noBoundary" masks is ignored."""
    complete, eroded = (f"ISPRS_semantic_labeling_Vaihingen_ground_truth_{kind}COMPLETE" for kind in ("", "eroded_"))
    masks = (complete, "gts_for_participants", eroded)
    expected = f"top/top_mosaic_09cm_area*.tif and {masks[1]} or {complete} with files of the same names"
    root = find_root(path, "ISPRS Vaihingen", expected, masks, ["Vaihingen"])
    folder = next(root / name for name in masks if (root / name).is_dir())
    ending = "_noBoundary.tif" if folder.name == eroded else ".tif"
    return _layout(path, "vaihingen", root / "top", folder, ("", ending), VAIHINGEN_VAL)


def _layout(path: Path, name: str, images: Path, masks: Path, endings: tuple[str, str], val: frozenset[str]) -> Layout:
    labels = known_labels(name)
    black = ((0, 0, 0), labels.ignore)
    coding = by_color(f"ISPRS {name.title()}", [*zip(labels.colors, range(len(labels)), strict=True), black])
    found = {split: partial(_pairs, images, masks, endings, coding, val, split) for split in ("train", "val")}
    return Layout(path, labels, found, (SIDE, SIDE))


def _pairs(
    images: Path, masks: Path, endings: tuple[str, str], coding: Coding, val: frozenset[str], split: str
) -> list[Pair]:
    """The pictures of a split whose masks are there; those of the former contest were long kept back."""

    def keep(name: str) -> bool:
        area = name.removeprefix("top_potsdam_").removeprefix("top_mosaic_09cm_area")
        return (split == "val") == (area in val) and (masks / (name + endings[1])).is_file()

    return paired(images, masks, coding, *endings, keep)
