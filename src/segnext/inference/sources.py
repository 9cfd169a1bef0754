"""What the user named (files, folders, globs) as a list of pictures, each with a name for its outputs."""

import glob
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, takewhile
from pathlib import Path

from segnext.files import beside, walk
from segnext.inference.kinds import COCO, STDIN
from segnext.pillow import SUFFIXES

OUTPUTS = (".mask.png", ".mask.npz", ".overlay.png")
PLANES = ".masks"  # how folders end that hold a multi-label result's masks
FILM, FRAMES = ".overlay.mp4", ".frames"  # a painted video, and the folder of its masks
LISTS = ("results.jsonl", "classes.json", COCO)


@dataclass(frozen=True)
class Input:
    """A picture to do, or what is wrong with something the user named.

    Attributes:
        file: the path, as the user would write it.
        name: for the outputs, with the folders that it lies in below what the user named; unique among the inputs, also
            where upper and lower case are the same.
        error: a sentence when there is nothing to read, else None.
        content: the picture's bytes where they came from stdin; else None.
    """

    file: str
    name: str = ""
    error: str | None = None
    content: bytes | None = field(default=None, repr=False)

    @property
    def file_name(self) -> str:
        """The picture's own name, with suffix."""
        return Path(self.file).name if self.content is None else self.name

    @property
    def source(self) -> str | bytes:
        """What the picture is read from."""
        return self.file if self.content is None else self.content


def expand(paths: Iterable[Path | str], passed_over: Callable[[str], None] = lambda file: None) -> list[Input]:
    """List the pictures that `paths` stand for, in their order, each once.

    A file is taken whatever its suffix. A folder stands for all images in it and below it, by suffix and
    sorted; hidden files and the masks and overlays of earlier runs are left out. Anything else may be a
    glob, in which `**` stands for any folders; `-` is a picture on stdin, called "image". What leads to no picture
    becomes an input with an error.
    `passed_over` is told of files in folders that are no pictures, by their suffix, or are called as masks and overlays
    are, without a run's results beside or above them; of links that lead nowhere, pipes, and folders that may not be
    read.
    """
    found: dict[str, Path | None] = {}  # the folder that names begin at; None where there is nothing
    errors: dict[str, str] = {}
    seen = set()
    for path in map(str, paths):
        files, root, error = _files(path, passed_over)
        for file in files:
            if (real := os.path.realpath(file)) not in seen:
                seen.add(real)
                found[file] = root
        if error is not None:
            found[path], errors[path] = None, error
    names = unique_names({file: root for file, root in found.items() if root is not None})
    content = sys.stdin.buffer.read() if STDIN in found else None
    return [Input(file, names.get(file, ""), errors.get(file), content if file == STDIN else None) for file in found]


def names_below(inputs: Iterable[Input]) -> dict[str, str]:
    """The pictures' names below the folders that the user named, with suffix; paths where these are not unique."""
    below = {entry.file: (Path(entry.name).parent / entry.file_name).as_posix() for entry in inputs}
    alike = Counter(below.values())
    return {file: name if alike[name] == 1 else Path(file).as_posix() for file, name in below.items()}


def _files(path: str, passed_over: Callable[[str], None]) -> tuple[list[str], Path, str | None]:
    """The files that one path stands for, the folder that their names begin at, or a sentence why there are none."""
    if path == STDIN:
        return [path], Path(), None
    if os.path.isdir(path):  # noqa: PTH112 - a pathlib path would lose the user's spelling
        images = _images([path], passed_over)
        return images, Path(path), None if images else "no images in this folder; name another"
    if os.path.lexists(path):
        return [path], Path(path).parent, None
    if glob.has_magic(path):
        images = _images(sorted(glob.glob(path, recursive=True)), passed_over)  # noqa: PTH207 - pathlib refuses absolute ones
        return images, _fixed_part(path), None if images else "no image matches; check the pattern"
    return [], Path(), f"no such file{beside(Path(path))}; check the path"


def _fixed_part(pattern: str) -> Path:
    """The folders of a glob that hold no wildcard."""
    return Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts[:-1]))


def _images(paths: Sequence[str], passed_over: Callable[[str], None]) -> list[str]:
    """The images among files and in folders."""
    images: list[str] = []

    def told(what: str, path: Path) -> None:
        if what == "broken":
            passed_over(str(path))

    for path in paths:
        folder = Path(path)
        for file in walk(folder, told) if folder.is_dir() else [folder]:
            if _is_image(file):
                images.append(path if file is folder else str(file))
            elif not file.name.startswith(".") and not (_is_output(file) and _is_ours(file, folder)):
                passed_over(str(file))
    return images


def _is_image(file: Path) -> bool:
    hidden = file.name.startswith(".")
    return not hidden and file.suffix.lower() in SUFFIXES and not _is_output(file) and file.is_file()


def _is_output(file: Path) -> bool:
    return file.name.endswith((*OUTPUTS, FILM)) or file.name in LISTS or file.parent.name.endswith(PLANES)


def _is_ours(file: Path, root: Path) -> bool:
    """Whether a run's results lie beside the file, or above it up to `root`."""
    above = [folder for folder in file.parents if folder == root or folder.is_relative_to(root)] or [file.parent]
    return any((folder / name).exists() for folder in above for name in LISTS)


def unique_names(files: Mapping[str, Path]) -> dict[str, str]:
    """A readable name for every file, whatever the order of the files.

    It is the path below the file's root, without suffix, where that is unique. Otherwise the first that tells the files
    of one such path apart: ROOT_STEM, STEM_SUFFIX, ROOT_STEM_SUFFIX, else STEM_1, STEM_2 in the order of their full
    paths.

    Args:
        files: each with the folder, its root, that names begin at.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files, key=os.path.realpath):
        alike[_below(file, files[file]).casefold()].append(file)
    names = {group[0]: _below(group[0], files[group[0]]) for group in alike.values() if len(group) == 1}
    taken = {name.casefold() for name in names.values()}
    for group in alike.values():
        if len(group) > 1:
            chosen = _names_of(group, files, taken)
            taken.update(name.casefold() for name in chosen)
            names.update(zip(group, chosen, strict=True))
    return names


def _below(file: str, root: Path) -> str:
    """The path below `root`, without suffix."""
    path = Path(file if file != STDIN else "image")
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return inside.with_name(path.stem).as_posix()


def distinct(name: str, taken: Collection[str]) -> str:
    """The first of NAME, NAME_2, NAME_3, ... that is not in `taken`, which holds names in lower case."""
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(one for one in names if one.casefold() not in taken)


def _names_of(group: list[str], roots: Mapping[str, Path], taken: set[str]) -> list[str]:
    parts = [
        (Path(_below(file, roots[file])).parent, Path(file), Path(os.path.realpath(roots[file])).name) for file in group
    ]
    forms: list[Callable[[Path, str], str]] = [
        lambda path, root: f"{root}_{path.stem}",
        lambda path, root: f"{path.stem}_{path.suffix[1:]}",
        lambda path, root: f"{root}_{path.stem}_{path.suffix[1:]}",
    ]
    for form in forms:
        names = [(folder / form(path, root)).as_posix() for folder, path, root in parts]
        folded = {name.casefold() for name in names}
        if len(folded) == len(group) and not folded & taken:
            return names
    numbered: list[str] = []
    number = 0
    for folder, path, _ in parts:
        number += 1
        while (folder / f"{path.stem}_{number}").as_posix().casefold() in taken:
            number += 1
        numbered.append((folder / f"{path.stem}_{number}").as_posix())
    return numbered
