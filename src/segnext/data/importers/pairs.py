"""Which picture and which mask belong together, in the many ways that folders of them are arranged."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from segnext.data.importers.options import Options
from segnext.data.importers.source import Item, Problem, listed
from segnext.errors import SegNextError
from segnext.imageio import SUFFIXES

# Words of folder names; in file names they stand at the start or at the end: 104_sat.jpg, 104_mask.png.
IMAGE_WORDS = frozenset(
    ("image", "images", "img", "imgs", "jpegimages", "photo", "photos", "picture", "pictures", "rgb", "sat", "frames")
)
MASK_WORDS = frozenset(
    (
        *("mask", "masks", "label", "labels", "lbl", "lbls", "annotation", "annotations", "ann", "anns", "gt"),
        *("groundtruth", "seg", "segs", "segmentations", "segmentationclass", "segmentationclassaug", "semseg"),
        *("target", "targets"),
    )
)
IMAGE_ENDS = frozenset(("image", "img", "photo", "rgb", "sat"))
MASK_ENDS = frozenset(
    ("mask", "masks", "label", "labels", "lbl", "gt", "groundtruth", "seg", "segmentation", "annotation", "l", "color")
)

Groups = dict[str, list[Path]]  # name of a pair -> files


def find_pairs(options: Options) -> tuple[list[Item], list[Problem]]:
    """Pictures and masks below `options.source`, sorted by name, and the files that belong to no pair.

    A pair has the same path once the folders of pictures and of masks are left out: `images/a/1.jpg` with
    `masks/a/1.png`, `a/images/1.jpg` with `a/masks/1.png`, `train_img/1.jpg` with `train_label/1.png`, and `1.jpg`
    with `1_mask.png` beside it. `options.images` and `options.masks` name the folders where their names do not tell.

    Raises:
        SegNextError: when there is no folder, or no pair in it.
    """
    source = options.source
    images, masks, problems = _sorted_out(source, options)
    items: list[Item] = []
    for trim in (False, True):  # equal names first, so that 1.png goes with 1.jpg although there is 1_mask.png
        image_groups, mask_groups = _groups(images, IMAGE_ENDS, trim), _groups(masks, MASK_ENDS, trim)
        if not trim:
            _add_full_names(images, mask_groups)
        for name in sorted(image_groups.keys() & mask_groups.keys()):
            pictures, labels = image_groups[name], mask_groups[name]
            if len(pictures) == len(labels) == 1:
                items.append(Item(name, pictures[0], labels[0]))
            else:
                problems += _ambiguous(pictures, labels)
            for file in pictures:
                images.pop(file, None)
            for file in labels:
                masks.pop(file, None)
    if not items:
        raise SegNextError(_nothing(source, len(images), len(masks)))
    problems += [Problem(file, "no mask", "there is no mask of this name") for file in images]
    problems += [Problem(file, "no picture", "there is no picture of this name") for file in masks]
    return sorted(items, key=lambda item: item.name), problems


def walk(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted, links followed, hidden ones left out.

    Raises:
        SegNextError: when there is no such folder.
    """
    if not folder.is_dir():
        raise SegNextError(f"{folder}: no such folder; give the folder that holds the data set to import")
    seen: set[Path] = set()
    for path, folders, files in os.walk(folder, followlinks=True):
        real = Path(path).resolve()
        folders[:] = sorted(name for name in folders if name != "__MACOSX" and not name.startswith("."))
        if real in seen:  # a link to a folder above itself
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(path, name) for name in sorted(files) if not name.startswith("."))


def _sorted_out(source: Path, options: Options) -> tuple[dict[Path, str], dict[Path, str], list[Problem]]:
    """Pictures and masks with the names of their pairs, and other files in their folders."""
    files = list(walk(source))
    for given in (options.images, options.masks):
        if given is not None and not (source / given).is_dir():
            raise SegNextError(f"{source / given}: no such folder; name a folder inside {source}")
    roles = {file: _folder_role(file.relative_to(source), options) for file in files}
    if not any(role == "mask" for role, _ in roles.values()) and not options.masks:
        roles = {file: _file_role(file.relative_to(source)) for file in files if file.suffix.lower() in SUFFIXES}
    images: dict[Path, str] = {}
    masks: dict[Path, str] = {}
    problems = []
    for file, (role, name) in roles.items():
        if not role:
            continue
        if file.suffix.lower() in SUFFIXES:
            (images if role == "image" else masks)[file] = name
        else:
            problems.append(Problem(file, "other files", "its name is not that of a picture", expected=True))
    return images, masks, problems


def _folder_role(file: PurePosixPath | Path, options: Options) -> tuple[str, str]:
    """Say "image", "mask" or "", and the path without suffix and without the word that says so."""
    for role, given in (("image", options.images), ("mask", options.masks)):
        if given is not None and file.is_relative_to(Path(given)):
            return role, file.relative_to(Path(given)).with_suffix("").as_posix()
    folders = list(file.parent.parts)
    for index in reversed(range(len(folders))):
        words = re.split(r"[_\- ]+", folders[index])
        plain = [word.lower().rstrip("0123456789") for word in words]
        for role, known, given in (("mask", MASK_WORDS, options.masks), ("image", IMAGE_WORDS, options.images)):
            if given is None and known & set(plain):
                rest = [word for word, key in zip(words, plain, strict=True) if key not in MASK_WORDS | IMAGE_WORDS]
                folders[index : index + 1] = ["_".join(rest)] if rest else []
                return role, PurePosixPath(*folders, file.stem).as_posix()
    return "", ""


def _file_role(file: Path) -> tuple[str, str]:
    """The role of a file beside which its partner lies: `1_mask.png` is a mask, all else is a picture."""
    role = "mask" if _trimmed(file.stem, MASK_ENDS) != file.stem else "image"
    return role, file.with_suffix("").as_posix()


def _groups(files: dict[Path, str], ends: frozenset[str], trim: bool) -> Groups:
    groups: Groups = defaultdict(list)
    for file, name in files.items():
        folder, _, stem = name.rpartition("/")
        stem = _trimmed(stem, ends) if trim else stem
        groups[f"{folder}/{stem}" if folder else stem].append(file)
    return groups


def _add_full_names(images: dict[Path, str], masks: Groups) -> None:
    """Let `1.jpg.png` be the mask of `1.jpg`."""
    for file, name in images.items():
        if name not in masks and name + file.suffix in masks:
            masks[name] = masks.pop(name + file.suffix)


def _trimmed(stem: str, ends: frozenset[str]) -> str:
    words = re.split(r"([_\-. ]+)", stem)
    if len(words) > 2 and words[-1].lower() in ends:
        return "".join(words[:-2])
    if len(words) > 2 and words[0].lower() in ends:
        return "".join(words[2:])
    return stem


def _ambiguous(pictures: list[Path], labels: list[Path]) -> list[Problem]:
    reason = (
        f"{len(pictures)} pictures and {len(labels)} masks have one name ({listed([*pictures, *labels])}); "
        "choose the folders by --images and --masks, or rename some"
    )
    return [Problem(file, "ambiguous name", reason) for file in (*pictures, *labels)]


def _nothing(source: Path, images: int, masks: int) -> str:
    found = f"{images} pictures and {masks} masks were found, but none of the same name" if images or masks else ""
    return (
        f"{source}: {found or 'there is no picture with a mask in it'}; "
        "name the folders in it by --images FOLDER and --masks FOLDER"
    )
