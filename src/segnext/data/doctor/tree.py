"""The files below a folder, sorted into pictures, other files and rubbish."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from segnext.imageio import SUFFIXES

PICTURES = SUFFIXES | {".jng", ".pnm", ".ras", ".sr", ".heic", ".heif", ".exr", ".hdr"}
ARRAYS = frozenset((".npy", ".npz", ".mat", ".h5", ".hdf5", ".nii", ".gz", ".dcm", ".nc", ".tfrecord"))
_RUBBISH = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db", ".ds_store", "icon\r"))
_RUBBISH_FOLDERS = frozenset((".ipynb_checkpoints", "__macosx", "@eadir", ".trash", "$recycle.bin"))
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
    _visit(tree, Path(), frozenset([_identity(root)]), rubbish=False)
    for files in (tree.pictures, tree.others, tree.rubbish):
        files.sort()
    return tree


def _visit(tree: Tree, folder: Path, above: frozenset[tuple[int, int]], *, rubbish: bool) -> None:
    try:
        entries = sorted(os.scandir(tree.root / folder), key=lambda entry: entry.name)
    except OSError:
        tree.broken.append(folder)
        return
    if not entries:
        tree.empty.append(folder)
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir():
            _visit_folder(tree, path, entry, above, rubbish)
        elif not entry.is_file():
            tree.broken.append(path)
        elif rubbish or entry.name.startswith("._") or entry.name.lower() in _RUBBISH:
            tree.rubbish.append(path)
        elif not entry.name.startswith("."):
            (tree.pictures if path.suffix.lower() in PICTURES else tree.others).append(path)


def _visit_folder(
    tree: Tree, path: Path, entry: os.DirEntry[str], above: frozenset[tuple[int, int]], rubbish: bool
) -> None:
    name = entry.name.lower()
    is_rubbish = name in _RUBBISH_FOLDERS
    if name in _NOT_DATA or (name.startswith(".") and not is_rubbish):
        return
    identity = _identity(tree.root / path)
    if identity in above:
        tree.loops.append(path)
    else:
        _visit(tree, path, above | {identity}, rubbish=rubbish or is_rubbish)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
