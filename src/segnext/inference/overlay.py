"""Drawing: the classes painted over the picture, and a legend that hides nothing of it."""

import math
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from segnext.labels import Color, Labels
from segnext.painting import mix, palette
from segnext.preprocess import Image
from segnext.words import percent

OPACITY = 0.5
SMALLEST = 256
BACKGROUND = (255, 255, 255)
INK = (32, 32, 32)
FRAME = (150, 150, 150)
UNMEASURED = (0, 0, 0)  # as `paint` has what is no class


def paint(image: Image, mask: NDArray[np.uint8], labels: Labels) -> Image:
    """Blend the classes' colours half and half with the picture and draw the borders between regions.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 labels; values without a colour are painted black. Or, multi-label, (classes, H, W) of 0
            and 1: where several are, their colours are mixed, and each is outlined in its own.
        labels: the colours.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if mask.ndim == 3:
        return _paint_planes(image, mask, labels)
    colors = cv2.LUT(cv2.merge([mask] * 3), palette(labels)[None])
    painted = cv2.addWeighted(colors, OPACITY, image, 1 - OPACITY, 0)
    lighter = cv2.LUT(painted, (255 - np.arange(255, -1, -1) // 3).astype(np.uint8))
    cv2.copyTo(lighter, _borders(mask).astype(np.uint8), painted)
    return np.asarray(painted, np.uint8)


def _paint_planes(image: Image, planes: NDArray[np.uint8], labels: Labels) -> Image:
    colors, count = mix(planes, labels)
    painted = np.where(count > 0, OPACITY * colors + (1 - OPACITY) * image, image).astype(np.uint8)
    for plane, color in zip(planes, labels.colors, strict=True):
        painted[_borders(plane)] = color
    return painted


def _borders(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels on the borders between regions, on lines that grow with the picture."""
    line = 1 + round(math.hypot(*mask.shape) / 1200)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((line + 1, line + 1), np.uint8)) > 0)


def draw_overlay(image: Image, mask: NDArray[np.uint8], labels: Labels, shares: Mapping[str, float]) -> PIL.Image.Image:
    """The painted picture in the top left corner, pixel for pixel, and a legend in a strip of its own.

    Only tiny pictures, at most 128 pixels long, are enlarged, by a whole number. The legend names the
    classes that occur, the largest first, and last what was not measured, below wide pictures and beside
    tall ones; its letters grow with the picture, so that it can be read however the picture is shown.
    """
    factor = max(1, SMALLEST // max(mask.shape[-2:]))
    if factor > 1:
        image = image.repeat(factor, axis=0).repeat(factor, axis=1)
        mask = mask.repeat(factor, axis=-2).repeat(factor, axis=-1)
    height, width = mask.shape[-2:]
    colors = dict(zip(labels.classes, labels.colors, strict=True))
    entries = [
        (name, colors[name], percent(share))
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
        if share > 0
    ]
    unmeasured = 1 - sum(shares.values())
    if mask.ndim == 2 and unmeasured > 0.5 / mask.size:  # a pixel or more, and no matter of rounding
        entries.append(("not measured", UNMEASURED, percent(unmeasured)))
    legend = _legend(entries, width, height)
    below = width >= height
    size = (
        (max(width, legend.width), height + legend.height)
        if below
        else (width + legend.width, max(height, legend.height))
    )
    canvas = PIL.Image.new("RGB", size, BACKGROUND)
    canvas.paste(PIL.Image.fromarray(paint(image, mask, labels)), (0, 0))
    canvas.paste(legend, (0, height) if below else (width, 0))
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


def _legend(entries: list[tuple[str, Color, str]], width: int, height: int) -> PIL.Image.Image:
    """Swatch, percentage and name of each entry, column by column, in a strip that suits the picture's side."""
    em = max(12, round(math.sqrt(width * height) / 45), round(max(width, height) / 150))
    row, gap = round(1.5 * em), round(0.5 * em)
    share_width = max(_text(share, em).width for _, _, share in entries)
    name_width = max(_text(name, em).width for name, _, _ in entries)
    cell = em + gap + share_width + gap + name_width + 2 * gap
    if width >= height:
        rows = math.ceil(len(entries) / max(1, width // cell))
    else:
        rows = min(len(entries), max(1, (height - 2 * gap) // row))
    columns = math.ceil(len(entries) / rows)
    strip = PIL.Image.new("RGB", (columns * cell, rows * row + 2 * gap), BACKGROUND)
    draw = PIL.ImageDraw.Draw(strip)
    for index, (name, color, share) in enumerate(entries):
        column, line = divmod(index, rows)
        x, y = gap + column * cell, gap + line * row + (row - em) // 2
        draw.rectangle((x, y, x + em, y + em), color, FRAME, max(1, em // 20))
        x += em + gap + share_width
        share_line, name_line = _text(share, em), _text(name, em)
        top = y + em // 2 - em
        strip.paste(INK, (x - share_line.width, top), share_line)
        strip.paste(INK, (x + gap, top), name_line)
    return strip
