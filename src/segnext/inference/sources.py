"""What the user named (files, folders, globs) as a list of pictures, each with a name for its outputs."""

import glob
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from segnext.files import walk
from segnext.imageio import SUFFIXES

OUTPUTS = (".mask.png", ".overlay.png")


@dataclass(frozen=True)
class Input:
    """A picture to do, or what is wrong with something the user named.

    Attributes:
        file: the path, as the user would write it.
        name: for the outputs; unique among the inputs, also where upper and lower case are the same.
        error: a sentence when there is nothing to read, else None.
    """

    file: str
    name: str = ""
    error: str | None = None


def expand(paths: Iterable[Path | str]) -> list[Input]:
    """List the pictures that `paths` stand for, in their order, each once.

    A file is taken whatever its suffix. A folder stands for all images in it and below it, by suffix and
    sorted; hidden files and the masks and overlays of earlier runs are left out. Anything else may be a
    glob, in which `**` stands for any folders. What leads to no picture becomes an input with an error.
    """
    found: dict[str, str | None] = {}
    seen = set()
    for path in map(str, paths):
        files, error = _files(path)
        for file in files:
            if (real := os.path.realpath(file)) not in seen:
                seen.add(real)
                found[file] = None
        if error is not None:
            found[path] = error
    names = unique_names([file for file, error in found.items() if error is None])
    return [Input(file, names.get(file, ""), error) for file, error in found.items()]


def _files(path: str) -> tuple[list[str], str | None]:
    """The files that one path stands for, or a sentence saying why there are none."""
    if os.path.isdir(path):  # noqa: PTH112 - a pathlib path would lose the user's spelling
        images = _images([path])
        return images, None if images else "no images in this folder; name another"
    if os.path.lexists(path):
        return [path], None
    if glob.has_magic(path):
        images = _images(sorted(glob.glob(path, recursive=True)))  # noqa: PTH207 - pathlib refuses absolute ones
        return images, None if images else "no image matches; check the pattern"
    return [], "no such file; check the path"


def _images(paths: Sequence[str]) -> list[str]:
    """The images among files and in folders."""
    images: list[str] = []
    for path in paths:
        folder = Path(path)
        if folder.is_dir():
            images += [str(file) for file in walk(folder) if _is_image(file)]
        elif _is_image(folder):
            images.append(path)
    return images


def _is_image(file: Path) -> bool:
    hidden = file.name.startswith(".")
    return not hidden and file.suffix.lower() in SUFFIXES and not file.name.endswith(OUTPUTS) and file.is_file()


def unique_names(files: Sequence[str]) -> dict[str, str]:
    """A readable name for every file, whatever the order of the files.

    It is the stem where that is unique. Otherwise the first that tells the files of one stem apart:
    PARENT_STEM, STEM_SUFFIX, PARENT_STEM_SUFFIX, else STEM_1, STEM_2 in the order of their full paths.
    """
    same_stem: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files, key=os.path.realpath):
        same_stem[Path(file).stem.casefold()].append(file)
    names = {group[0]: Path(group[0]).stem for group in same_stem.values() if len(group) == 1}
    taken = {name.casefold() for name in names.values()}
    for group in same_stem.values():
        if len(group) > 1:
            chosen = _names_of(group, taken)
            taken.update(name.casefold() for name in chosen)
            names.update(zip(group, chosen, strict=True))
    return names


def distinct(name: str, taken: Collection[str]) -> str:
    """The first of NAME, NAME_2, NAME_3, ... that is not in `taken`, which holds names in lower case."""
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(one for one in names if one.casefold() not in taken)


def _names_of(group: list[str], taken: set[str]) -> list[str]:
    paths = [Path(os.path.realpath(file)) for file in group]
    forms: list[Callable[[Path], str]] = [
        lambda path: f"{path.parent.name}_{path.stem}",
        lambda path: f"{path.stem}_{path.suffix[1:]}",
        lambda path: f"{path.parent.name}_{path.stem}_{path.suffix[1:]}",
    ]
    for form in forms:
        names = [form(path) for path in paths]
        folded = {name.casefold() for name in names}
        if len(folded) == len(group) and not folded & taken:
            return names
    numbered: list[str] = []
    number = 0
    for path in paths:
        number += 1
        while f"{path.stem}_{number}".casefold() in taken:
            number += 1
        numbered.append(f"{path.stem}_{number}")
    return numbered
