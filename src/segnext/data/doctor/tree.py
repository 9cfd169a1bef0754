"""The files below a folder, sorted into pictures, other files and rubbish."""

from dataclasses import dataclass, field
from pathlib import Path

from segnext import files
from segnext.pillow import SUFFIXES

PICTURES = SUFFIXES | {".jng", ".ras", ".sr", ".exr", ".hdr"}
ARRAYS = frozenset((".npy", ".npz", ".mat", ".h5", ".hdf5", ".nii", ".gz", ".dcm", ".nc", ".tfrecord"))
_RUBBISH = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db", ".ds_store", "icon\r", ".ipynb_checkpoints"))
_NOT_DATA = frozenset(("__pycache__", "node_modules", "site-packages", "venv"))


@dataclass
class Tree:
    """What lies below `root`; all paths are relative to it and sorted.

    Attributes:
        root: the folder.
        pictures: files with the suffix of a picture.
        others: other files, for example lists and annotations.
        rubbish: what file managers, notebooks and archives leave behind.
        loops: links to a folder above themselves; they are not followed.
        broken: links that lead nowhere.
        empty: folders that hold nothing.
    """

    root: Path
    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    rubbish: list[Path] = field(default_factory=list)
    loops: list[Path] = field(default_factory=list)
    broken: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)


def walk(root: Path) -> Tree:
    """List what lies below `root`; links to folders are followed, unless in a circle."""
    tree = Tree(root)
    told = {"loop": tree.loops, "broken": tree.broken, "empty": tree.empty, "hidden": []}
    for file in files.walk(root, lambda what, path: told[what].append(path.relative_to(root))):
        path = file.relative_to(root)
        if _NOT_DATA.isdisjoint(path.parts):
            rubbish = path.name.lower() in _RUBBISH
            kind = tree.rubbish if rubbish else tree.pictures if path.suffix.lower() in PICTURES else tree.others
            kind.append(path)
    tree.rubbish += [path for path in told["hidden"] if _is_rubbish(path.name.lower())]
    for paths in (tree.pictures, tree.others, tree.rubbish):
        paths.sort()
    return tree


def _is_rubbish(name: str) -> bool:
    return name.startswith("._") or name in _RUBBISH or name in files.RUBBISH
