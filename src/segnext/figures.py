"""Pictures of matplotlib's as PNG files, in which names are shown as they are, in any script."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from segnext.files import replacing
from segnext.silence import silenced

DPI = 120
Layout = Literal["constrained"] | None
# Of the scripts that matplotlib's own font lacks, what Linux, Windows and macOS have.
OTHER_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS", "Noto Sans Devanagari", "Nirmala UI"),
)


@contextmanager
def drawing(
    out: Path | BinaryIO, size: tuple[float, float], dpi: int = DPI, *, layout: Layout = "constrained", **saving: Any
) -> Iterator[Figure]:
    """Yield an empty figure; it is written as a PNG when the block ends well.

    Args:
        out: the file, or a buffer.
        size: width and height in inches.
        dpi: pixels in an inch.
        layout: of the axes; None where they are placed by hand.
        saving: for `Figure.savefig`.
    """
    with plain_text():
        figure = Figure(figsize=size, dpi=dpi, layout=layout)
        FigureCanvasAgg(figure)
        yield figure
        if isinstance(out, Path):
            with replacing(out) as temporary:
                figure.savefig(temporary, format="png", **saving)
        else:
            figure.savefig(out, format="png", **saving)


@contextmanager
def plain_text() -> Iterator[None]:
    """Within, `$` is a letter and begins no formula, and letters that the font lacks come from fonts that are there.

    Letters that no font has become boxes.
    """
    there = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(font for font in OTHER_FONTS if font in there)]
    with rc_context({"text.parse_math": False, "font.family": fonts}), silenced:
        yield
