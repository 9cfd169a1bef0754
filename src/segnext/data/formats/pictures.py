"""The pictures that annotations name, found as annotation tools write their names."""

import re
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.source import Item, Problem
from segnext.data.formats.splits import split_name
from segnext.pillow import SUFFIXES
from segnext.words import listed


def annotations_of(options: Options, suffix: str) -> tuple[list[Path], "Pictures"]:
    """The files of annotations that an import is about, one or those of a folder, and the pictures beside them."""
    source = options.source
    files = [source] if source.is_file() else files_of(source)
    folder = source if source.is_dir() else source.parent
    pictures = Pictures(folder / options.images if options.images else folder)
    return [file for file in files if file.suffix.lower() == suffix], pictures


class Pictures:
    """The pictures below a folder. A picture elsewhere is never found, whatever annotations name.

    Names are compared by their last part, as other computers write it too: with backslashes or a drive before it,
    as part of an address, in other capitals, with accents composed or not. Of several pictures of one name, those
    count whose folders agree the most, then those beside the annotations, then those in a folder of their split.
    """

    def __init__(self, folder: Path) -> None:
        self.all = [file for file in files_of(folder) if file.suffix.lower() in SUFFIXES]
        self.by_name: dict[str, list[Path]] = defaultdict(list)
        for file in self.all:
            self.by_name[_plain(file.name)].append(file)

    def find(self, name: object, annotations: Path) -> list[Path]:
        """The pictures that a file of annotations may mean by `name`, best one; several when names do not decide."""
        parts = parts_of(name)
        found = self.by_name.get(_plain(parts[-1]), []) if parts else []
        if len(found) > 1:
            most = max(_agreement(file, parts) for file in found)
            found = [file for file in found if _agreement(file, parts) == most]
        if len(found) > 1:
            beside = [file for file in found if file.is_relative_to(annotations.parent)]
            split = split_in(annotations)
            same = [file for file in found if split and split in {split_name(part) for part in file.parts}]
            found = beside if len(beside) == 1 else same or found
        return found

    def item(self, name: object, file: Path, split: str | None = None) -> Item | Problem:
        """The pair of a picture that the annotations `file` list by a name, or why there is none."""
        found, parts = self.find(name, file), parts_of(name)
        listed_as = f"lists '{'/'.join(parts)[-200:]}'"
        if not found:
            return Problem(file, "no picture", f"{listed_as}, but there is no such picture")
        if len(found) > 1:
            return Problem(file, "ambiguous name", f"{listed_as}, but there are {len(found)}: {listed(found)}")
        split = split_in(file) if split is None else split
        folders = [part for part in parts[:-1] if part in found[0].parts and not (split and split_name(part) == split)]
        return Item(PurePosixPath(*folders, found[0].stem).as_posix(), found[0], file, split)

    def example(self) -> str:
        """Some names that are there, for a sentence."""
        return listed((f"'{file.name}'" for file in self.all), 3) or "no picture at all"


def parts_of(name: object) -> tuple[str, ...]:
    """The folders and the name of a path as any tool writes it."""
    text = unquote(str(name)[:4000])
    text = text.split("?d=", 1)[-1].split("?", 1)[0] if "?" in text else text
    parts = re.split(r"[\\/]+", re.sub(r"^(\w+:/+[^/]*|[A-Za-z]:)", "", text))
    return tuple(part for part in parts if part not in ("", ".", ".."))


def split_in(file: Path) -> str:
    """The split that a file's name (instances_train2017) or folder tells, or ""."""
    words = [*reversed(re.split(r"[_.\- ]+", file.stem)), file.parent.name]
    return next((split for word in words if (split := split_name(word))), "")


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _agreement(file: Path, parts: tuple[str, ...]) -> tuple[int, bool]:
    """How many parts from the last on agree, and whether the name is spelled alike."""
    ours, theirs = (tuple(map(_plain, reversed(some))) for some in (file.parts, parts))
    count = next((index for index, both in enumerate(zip(ours, theirs, strict=False)) if both[0] != both[1]), None)
    return min(len(ours), len(theirs)) if count is None else count, file.name == parts[-1]
