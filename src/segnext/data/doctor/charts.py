"""The charts of the contact sheet, as PNG bytes."""

import io
from collections.abc import Callable

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from segnext.data.doctor.check import Report
from segnext.data.doctor.report import class_rows
from segnext.figures import drawing

DPI = 100
WIDTH = 6.4  # inches of each chart
MOST_CLASSES = 60
SPLIT_COLORS = ("#33691e", "#ef6c00", "#5e35b1", "#00838f")


def class_chart(report: Report) -> bytes:
    """How many of the pixels each class, label or colour has, a bar for every split."""
    rows = class_rows(report)
    every = list(next(iter(rows.values()), {}))
    names = every[:MOST_CLASSES]
    height = max(3.6, 0.2 * len(names) * (0.7 + 0.3 * len(rows)) + 1.2)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        thick = 0.8 / max(len(rows), 1)
        floor = min([share for row in rows.values() for share in row.values() if share > 0], default=1) * 100
        for place, (split, row) in enumerate(rows.items()):
            at = [index + thick * (place - (len(rows) - 1) / 2) for index in range(len(names))]
            colors = names if report.encoding.kind == "colors" else SPLIT_COLORS[place % len(SPLIT_COLORS)]
            axes.barh(
                at,
                [100 * row[name] for name in names],
                thick,
                color=colors,
                edgecolor="#999999",
                linewidth=0.4,
                label=split or None,
            )
            for y, name in zip(at, names, strict=True):
                if row[name] == 0:
                    axes.text(floor * 0.55, y, "never", va="center", fontsize=7, color="#c62828")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter() if floor < 20 else axes.xaxis.get_major_formatter())
        axes.set_xlim(floor * 0.5, 130)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.invert_yaxis()
        axes.set_xlabel("share of the labelled pixels in percent, logarithmic")
        axes.set_title(class_title(report.encoding.kind, len(names), len(every)))
        if any(rows):
            axes.legend(fontsize=8)

    return _drawn(draw, height)


def class_title(kind: str, shown: int, count: int) -> str:
    """What the bars are, and whether some are left out."""
    what = {"colors": "colours of the masks", "binary": "grey levels"}.get(kind, "classes")
    return what if shown == count else f"the first {shown} of {count} {what}"


def size_chart(report: Report) -> bytes:
    """Widths and heights, and how wide pictures are for their height."""
    sizes = [record.image.upright for record in report.case.records if record.image.size[0]]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        left.scatter(*zip(*sizes, strict=True), s=14, alpha=0.35, color="#1565c0") if sizes else None
        left.set(title="sizes", xlabel="width in pixels", ylabel="height in pixels")
        left.set_xlim(left=0)
        left.set_ylim(bottom=0)
        aspects = [width / height for width, height in sizes]
        if aspects:
            middle = (min(aspects) + max(aspects)) / 2
            half = max(0.25, (max(aspects) - min(aspects)) / 2)
            right.hist(aspects, bins=24, range=(middle - half, middle + half), color="#1565c0")
        right.set(title="aspect", xlabel="width / height", ylabel="pictures")

    return _drawn(draw, 3.6)


def _drawn(draw: Callable[[Figure], None], height: float) -> bytes:
    buffer = io.BytesIO()
    with drawing(buffer, (WIDTH, height), DPI) as figure:
        draw(figure)
    return buffer.getvalue()
