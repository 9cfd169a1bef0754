"""Legends: what the classes' colours mean, in a strip below a wide picture or beside a tall one."""

import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from segnext.labels import Color, Labels
from segnext.preprocess import Image

BACKGROUND = (255, 255, 255)
INK = (32, 32, 32)
FRAME = (150, 150, 150)
FILM = 3  # the part of a film's picture that its legend is as large as, at most


class Entry(NamedTuple):
    """A class's name and colour, and what stands before the name, as its percentage."""

    name: str
    color: Color
    share: str = ""


def legend(entries: Sequence[Entry], width: int, height: int) -> Image:
    """Swatch, percentage and name of each entry, column by column, in a strip that suits the picture's side.

    Its letters grow with the picture, so that it can be read however the picture is shown.
    """
    cell = _Cell.of(entries, width, height)
    if width >= height:
        rows = math.ceil(len(entries) / max(1, width // cell.width))
    else:
        rows = min(len(entries), max(1, (height - 2 * cell.gap) // cell.height))
    return cell.strip(entries, rows, math.ceil(len(entries) / rows))


def film_legend(labels: Labels, shares: Mapping[str, float], width: int, height: int) -> Image:
    """The same for a frame of a film: of one size for all of them, and without percentages, which nobody could read.

    It has all classes, in their order, if they fit into a third of the picture; else those of the frame, the largest.

    Args:
        labels: the classes.
        shares: of those in the frame, by name.
        width: of the frame.
        height: of it.
    """
    entries = [Entry(name, color) for name, color in zip(labels.classes, labels.colors, strict=True)]
    cell = _Cell.of(entries, width, height)
    across, down = (width, height // FILM) if width >= height else (width // FILM, height)
    columns, rows = max(1, across // cell.width), max(1, (down - 2 * cell.gap) // cell.height)
    if len(entries) <= columns * rows:
        rows = math.ceil(len(entries) / columns) if width >= height else min(rows, len(entries))
        columns = math.ceil(len(entries) / rows)
    else:
        largest = sorted((entry for entry in entries if shares.get(entry.name)), key=lambda entry: -shares[entry.name])
        chosen = {*largest[: columns * rows]}
        entries = [entry for entry in entries if entry in chosen]
    return _kept(cell, tuple(entries), rows, columns)


def attached(picture: Image, strip: Image) -> Image:
    """The picture (H x W x 3) in the top left corner, pixel for pixel, and the strip below it, or beside a tall one."""
    (height, width), (rows, columns) = picture.shape[:2], strip.shape[:2]
    below = width >= height
    size = (height + rows, max(width, columns)) if below else (max(height, rows), width + columns)
    canvas = np.full((*size, 3), BACKGROUND, np.uint8)
    canvas[:height, :width] = picture
    top, left = (height, 0) if below else (0, width)
    canvas[top : top + rows, left : left + columns] = strip
    return canvas


@cache
def _font(size: int) -> PIL.ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib; Pillow's own font lacks letters even of Western Europe."""
    matplotlib = find_spec("matplotlib")  # importing it would take longer than segmenting a picture
    assert matplotlib is not None
    assert matplotlib.origin is not None
    return PIL.ImageFont.truetype(Path(matplotlib.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf", size)


@lru_cache(maxsize=4096)
def _text(text: str, size: int) -> PIL.Image.Image:
    """How dark the letters of `text` make each pixel of a line of height 2 * size; names and shares return often."""
    font = _font(size)
    line = PIL.Image.new("L", (math.ceil(font.getlength(text)), 2 * size))
    PIL.ImageDraw.Draw(line).text((0, size), text, 255, font, anchor="lm")
    return line


class _Cell(NamedTuple):
    """Where an entry's parts are, in pixels: letters of height `em`, and the percentage `share_width` wide."""

    em: int
    gap: int
    share_width: int
    width: int
    height: int

    @classmethod
    def of(cls, entries: Sequence[Entry], width: int, height: int) -> "_Cell":
        """That which holds each of the entries, beside a picture of this size."""
        em = max(12, round(math.sqrt(width * height) / 45), round(max(width, height) / 150))
        gap = round(0.5 * em)
        share_width = max(_text(entry.share, em).width + gap if entry.share else 0 for entry in entries)
        name_width = max(_text(entry.name, em).width for entry in entries)
        return cls(em, gap, share_width, em + gap + share_width + name_width + 2 * gap, round(1.5 * em))

    def strip(self, entries: Sequence[Entry], rows: int, columns: int) -> Image:
        """The entries, column by column."""
        em, gap, row = self.em, self.gap, self.height
        strip = PIL.Image.new("RGB", (columns * self.width, rows * row + 2 * gap), BACKGROUND)
        draw = PIL.ImageDraw.Draw(strip)
        for index, (name, color, share) in enumerate(entries):
            column, line = divmod(index, rows)
            x, y = gap + column * self.width, gap + line * row + (row - em) // 2
            draw.rectangle((x, y, x + em, y + em), color, FRAME, max(1, em // 20))
            x += em + gap + self.share_width
            top = y + em // 2 - em
            if share:
                share_line = _text(share, em)
                strip.paste(INK, (x - gap - share_line.width, top), share_line)
            name_line = _text(name, em)
            strip.paste(INK, (x, top), name_line)
        return np.asarray(strip)


@lru_cache(maxsize=64)
def _kept(cell: _Cell, entries: tuple[Entry, ...], rows: int, columns: int) -> Image:
    """A strip; those of a film's frames are often the same."""
    return cell.strip(entries, rows, columns)
