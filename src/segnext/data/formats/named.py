"""Masks that options name."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from segnext.data.formats.source import Item
from segnext.errors import SegNextError


def named_items(items: Sequence[Item], names: Sequence[str], flag: str, source: Path) -> set[Item]:
    """The pairs whose masks have one of `names`, with or without folders and suffix.

    Raises:
        SegNextError: when there is no mask of a name.
    """
    chosen: set[Item] = set()
    for name in names:
        parts = PurePosixPath(name).parts
        found = [item for item in items for file in (item.mask, item.mask.with_suffix("")) if _ends(file, parts)]
        if not found:
            raise SegNextError(f"{flag}: there is no mask '{name}' in {source}; give masks' file names")
        chosen.update(found)
    return chosen


def _ends(file: Path, parts: tuple[str, ...]) -> bool:
    return file.parts[-len(parts) :] == parts
