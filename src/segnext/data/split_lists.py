"""Lists of pictures that make splits, such as ImageSets/Segmentation/train.txt, and which pictures each is about."""

from collections.abc import Collection, Iterable
from pathlib import Path

from segnext.data.names import split_of

SUFFIXES = (".txt", ".lst", ".csv")
LARGEST = 64_000_000  # bytes; what is larger is no list of names


def find_lists(root: Path, files: Iterable[Path], pictures: Collection[Path]) -> dict[Path, dict[str, Path]]:
    """The lists among `files`: for each folder, the list of every split of the pictures below it.

    A list is about the pictures below the innermost folder above it that holds any. Where a folder has several lists
    for a split, as VOC has for each of its tasks, that for segmentation counts.

    Args:
        root: the data set's folder, to which the paths are relative.
        files: candidates; those that are called like a split and end like a list are taken.
        pictures: all pictures that lists may be about.
    """
    above = {folder for picture in pictures for folder in picture.parents}
    found: dict[Path, dict[str, Path]] = {}
    for file in sorted(files, key=lambda file: ("segmentation" not in str(file.parent).lower(), str(file))):
        split = split_of(file.stem)
        if file.suffix.lower() in SUFFIXES and split and (root / file).stat().st_size <= LARGEST:
            folder = next((folder for folder in file.parents if folder in above), None)
            if folder is not None:
                found.setdefault(folder, {}).setdefault(split, file)
    return dict(sorted(found.items()))
