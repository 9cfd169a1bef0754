"""CamVid (Brostow et al., 2009): colour-coded originals in 32 classes, or SegNet's form in 11."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from segnext.data.coding import Coding, by_color, by_value
from segnext.data.folder import Pair
from segnext.data.formats.public.layout import Layout, find_root, paired
from segnext.data.known import known_labels
from segnext.labels import Labels

IMAGES, MASKS = "701_StillsRaw_full", "LabeledApproved_full"
ORIGINAL = f"{IMAGES}/*.png and {MASKS}/*_L.png"
SEGNET = "train/*.png, trainannot/*.png, val/*.png, valannot/*.png, test/*.png, testannot/*.png"
SPLITS = ("train", "val", "test")
FIRST_TEST, FIRST_VAL, LAST_VAL = 8550, 7959, 8159  # frames of 0001TP and of 0016E5

# The 32 classes in SegNet's 11 groups; Void (black) is ignored.
GROUPS = {
    "sky": ("Sky",),
    "building": ("Archway", "Bridge", "Building", "Tunnel", "Wall"),
    "pole": ("Column_Pole", "TrafficCone"),
    "road": ("LaneMkgsDriv", "LaneMkgsNonDriv", "Road"),
    "pavement": ("ParkingBlock", "RoadShoulder", "Sidewalk"),
    "tree": ("Tree", "VegetationMisc"),
    "sign": ("Misc_Text", "SignSymbol", "TrafficLight"),
    "fence": ("Fence",),
    "car": ("Car", "OtherMoving", "SUVPickupTruck", "Train", "Truck_Bus"),
    "pedestrian": ("Animal", "CartLuggagePram", "Child", "Pedestrian"),
    "bicyclist": ("Bicyclist", "MotorcycleScooter"),
}


def open_layout(path: Path) -> Layout:
    """11 classes, from the originals or from SegNet's folders."""
    labels = known_labels("camvid")
    root = find_root(path, "CamVid", f"{SEGNET}; or {ORIGINAL}", ["trainannot", "valannot", "testannot", MASKS])
    if (root / MASKS).is_dir():
        fine = known_labels("camvid_32")
        group_of = {name: labels.classes.index(group) for group, names in GROUPS.items() for name in names}
        return _originals(path, root, labels, [group_of[name] for name in fine.classes])
    coding = by_value("CamVid in SegNet's form", {label: label for label in range(len(labels) + 1)})
    found = {
        split: partial(paired, root / split, root / f"{split}annot", coding)
        for split in SPLITS
        if (root / f"{split}annot").is_dir()
    }
    return Layout(path, labels, found)


def open_layout_32(path: Path) -> Layout:
    """All classes of the originals: 31, and Void, which is ignored."""
    root = find_root(path, "CamVid in 32 classes", ORIGINAL, [MASKS])
    labels = known_labels("camvid_32")
    return _originals(path, root, labels, list(range(len(labels))))


def _originals(path: Path, root: Path, labels: Labels, targets: list[int]) -> Layout:
    """The originals, whose colour of class i of the 32 means `targets[i]`."""
    colors = known_labels("camvid_32").colors
    coding = by_color("CamVid", [*zip(colors, targets, strict=True), ((0, 0, 0), labels.ignore)])
    found = {split: _split(root, coding, split) for split in SPLITS}
    return Layout(path, labels, found)


def _split(root: Path, coding: Coding, split: str) -> Callable[[], list[Pair]]:
    return partial(paired, root / IMAGES, root / MASKS, coding, "", "_L.png", lambda name: split_of(name) == split)


def split_of(name: str) -> str:
    """The split of a frame in SegNet's division (367, 101 and 233 frames), by sequence and frame number."""
    sequence, _, frame = name.partition("_")
    number = int(frame) if frame.isdecimal() else 0  # frames of Seq05VD are called f00000
    if sequence == "Seq05VD" or (sequence == "0001TP" and number >= FIRST_TEST):
        return "test"
    return "val" if sequence == "0016E5" and FIRST_VAL <= number <= LAST_VAL else "train"
