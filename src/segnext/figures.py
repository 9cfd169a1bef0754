"""Names in matplotlib's pictures, of classes, data sets and files: shown as they are, in any script."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import font_manager, rc_context

# Of the scripts that matplotlib's own font lacks, what Linux, Windows and macOS have.
OTHER_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS", "Noto Sans Devanagari", "Nirmala UI"),
)


@contextmanager
def plain_text() -> Iterator[None]:
    """Within, `$` is a letter and begins no formula, and letters that the font lacks come from fonts that are there.

    Letters that no font has become boxes. Also a decorator: `@plain_text()`.
    """
    there = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(font for font in OTHER_FONTS if font in there)]
    with rc_context({"text.parse_math": False, "font.family": fonts}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
