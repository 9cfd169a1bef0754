"""Which picture and which mask belong together, in the many ways that folders of them are arranged."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from segnext.data.formats.options import Options
from segnext.data.formats.source import Item, Problem
from segnext.data.names import bare_stem, folders_of, stem_of
from segnext.data.pairing import Pairing, mask_likeness, pair, require_some
from segnext.errors import SegNextError
from segnext.files import beside, walk
from segnext.pillow import SUFFIXES
from segnext.words import listed


def find_pairs(options: Options) -> tuple[list[Item], list[Problem]]:
    """Pictures and masks below `options.source`, sorted by name, and the files that belong to no pair.

    They are paired as `segnext.data.pairing` does it for `segnext data check` too, but for pictures or masks that
    share one name, which are refused here. A pair's name is the picture's path without the words that say what it is:
    `images/a/1.jpg` and `a/images/1.jpg` are a/1, `train_img/104_sat.jpg` is train/104.

    Raises:
        SegNextError: when there is no folder, or no pair in it.
    """
    source = options.source
    files = [file.relative_to(source) for file in files_of(source)]
    found = paired(options)
    problems = [Problem(source / file, *reason, expected=True) for file, reason in _others(files, found)]
    clashes, refused = _clashes(source, found)
    problems += refused
    items = [
        Item(name_of(image, mask, options.images), source / image, source / mask)
        for image, mask in found.pairs
        if not clashes & {image, mask}
    ]
    if not items:
        raise SegNextError(_nothing(source, found))
    labelled = {image.parent for image, _ in found.pairs}  # elsewhere nobody labelled any, as in test splits
    for left, kind, reason in (
        (found.images, "no mask", "there is no mask of this name"),
        (found.masks, "no picture", "there is no picture of this name"),
        (found.many_masks, "further mask", "its picture has a mask already"),
    ):
        for file in [file for file in left if file not in clashes]:
            bare = kind == "no mask" and file.parent not in labelled
            problems.append(Problem(source / file, kind, reason, expected=bare))
    return sorted(items, key=lambda item: item.name), problems


def paired(options: Options) -> Pairing:
    """How the files below `options.source` are paired; paths are relative to it.

    Raises:
        SegNextError: when there is no folder, or nothing where the pictures or masks should be.
    """
    wanted = SUFFIXES | {Path(options.masks or "").suffix.lower()}  # masks may be matrices: *.txt
    files = [file.relative_to(options.source) for file in files_of(options.source)]
    pictures = [file for file in files if file.suffix.lower() in wanted and file.suffix]
    require_some(options.source, pictures, options.images, options.masks)
    return pair(pictures, options.images, options.masks, mask_likeness(options.source))


def files_of(folder: Path) -> list[Path]:
    """The files below a folder, see `walk`.

    Raises:
        SegNextError: when there is no such folder.
    """
    if not folder.is_dir():
        raise SegNextError(
            f"{folder}: no such folder{beside(folder)}; give the folder that holds the data set to import"
        )
    return list(walk(folder))


def name_of(image: Path, mask: Path, folder: str | None) -> str:
    """The picture's path below `folder` or without the words of its role, without suffix."""
    stem = image.stem if stem_of(image) == stem_of(mask) else bare_stem(image.stem)
    below = folder is not None and image.is_relative_to(folder)
    folders = image.parent.relative_to(folder).parts if folder and below else folders_of(image)
    return PurePosixPath(*folders, stem).as_posix()


def _others(files: list[Path], found: Pairing) -> Iterator[tuple[Path, tuple[str, str]]]:
    """Files that are no pictures but lie among those of the pairs, and pictures that are in no pair's folders."""
    done = {file for both in found.pairs for file in both}
    folders = {file.parent for file in done}
    for file in [file for file in files if file not in done]:
        if file.suffix.lower() not in SUFFIXES and file.parent in folders:
            yield file, ("other files", "its name is not that of a picture")
    yield from ((file, ("other pictures", "taken for neither a picture nor a mask")) for file in found.aside)


def _clashes(source: Path, found: Pairing) -> tuple[set[Path], list[Problem]]:
    """Pictures and masks between which names do not decide, with their partners."""
    partner = {file: other for both in found.pairs for file, other in (both, both[::-1])}
    clashes: set[Path] = set()
    problems = []
    for group in (*found.same_stem, *found.same_mask):
        files = sorted({*group, *(partner[file] for file in group if file in partner)})
        reason = f"these have one name: {listed(files)}; choose the folders by --images and --masks, or rename some"
        problems += [Problem(source / file, "ambiguous name", reason) for file in files if file not in clashes]
        clashes |= {*files}
    return clashes, problems


def _nothing(source: Path, found: Pairing) -> str:
    images, masks = (len(files) + len(found.pairs) for files in (found.images, found.masks))
    what = f"{images} pictures and {masks} masks were found, but none of the same name" if images or masks else ""
    return (
        f"{source}: {what or 'there is no picture with a mask in it'}; "
        "name the folders in it by --images FOLDER and --masks FOLDER"
    )
