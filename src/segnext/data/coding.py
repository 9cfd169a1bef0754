"""How the masks of a public data set say which class a pixel has, and which part of a picture a pair means."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from segnext.data.masks import Codes, Mask, PairError, read_colors, read_values
from segnext.errors import SegNextError
from segnext.words import listed

Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True)
class Window:
    """A part of a picture and of its mask, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, array: NDArray[Kind]) -> NDArray[Kind]:
        """A copy of that part of (H, W, ...)."""
        return array[self.top : self.top + self.height, self.left : self.left + self.width].copy()


@dataclass(frozen=True)
class Coding:
    """From the codes of a data set's masks to labels, while they are read; nothing is converted on disk.

    Attributes:
        name: of the data set, for error messages.
        read: the codes of a mask's file.
        labels: (code, label) of every code that the masks may hold.
    """

    name: str
    read: Callable[[Path], Codes]
    labels: tuple[tuple[int, int], ...]

    def decode(self, path: Path) -> Mask:
        """Labels of a mask, H x W.

        Raises:
            SegNextError: when the file cannot be read, is of another kind, or holds another code.
        """
        try:
            codes = self.read(path)
        except PairError as error:
            if error.kind != "colours":
                raise
            raise SegNextError(
                f"{path}: holds colours, but masks of {self.name} hold one number per pixel; give the folder of those"
            ) from error
        table = _table(self.labels)
        labels = table[codes.clip(-1, len(table) - 1)]
        if (foreign := labels < 0).any():
            raise PairError("foreign label", self._foreign(path, codes[foreign]))
        mask: Mask = labels.astype(np.uint8)
        return mask

    def _foreign(self, path: Path, codes: Codes) -> str:
        found, counts = np.unique(codes, return_counts=True)
        shown = listed(
            (
                f"#{code:06x} in {count:,} pixels" if self.read is colors else f"{code} in {count:,} pixels"
                for code, count in zip(found, counts, strict=True)
            ),
            3,
        )
        return (
            f"{path}: holds {shown}, which masks of {self.name} do not have; these are masks of another kind or data "
            "set, or damaged: give the original ones"
        )


@lru_cache(maxsize=4)
def _table(labels: tuple[tuple[int, int], ...]) -> NDArray[np.int16]:
    """The label of each code; -1 for others, and in the last place, for all that are larger."""
    codes, targets = zip(*labels, strict=True)
    table = np.full(max(codes) + 2, -1, np.int16)
    table[list(codes)] = targets
    return table


def colors(path: Path) -> Codes:
    """Colours 0xRRGGBB of a mask."""
    return read_colors(path)[0]


def by_value(name: str, labels: Mapping[int, int]) -> Coding:
    """Grey or palette masks, by value."""
    return Coding(name, read_values, tuple(sorted(labels.items())))


def by_color(name: str, labels: Iterable[tuple[tuple[int, int, int], int]]) -> Coding:
    """RGB or palette masks, by colour."""
    return Coding(
        name, colors, tuple(sorted((red << 16 | green << 8 | blue, label) for (red, green, blue), label in labels))
    )
