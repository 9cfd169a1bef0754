"""The comparison as one HTML page."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segnext.compare.picture import draw
from segnext.compare.results import EXPLAINED, Comparison
from segnext.pages import data_uri, write_page
from segnext.plain import to_yaml


def write(comparison: Comparison, settings: dict[str, Any], path: Path) -> None:
    """Write the page; OSError when it cannot be written.

    Args:
        comparison: what it shows.
        settings: of the entries, by name.
        path: the file.
    """
    buffer = io.BytesIO()
    draw(comparison, buffer)
    write_page(
        path,
        "compare.html",
        {"percent": lambda ratio: "–" if math.isnan(ratio) else f"{100 * ratio:.1f}"},
        comparison=comparison,
        rows=comparison.rows(),
        picture=data_uri(buffer.getvalue(), "png"),
        classes=[
            (name, ious, max((iou for iou in ious if iou > 0), default=math.nan)) for name, ious in _classes(comparison)
        ],
        explained=EXPLAINED,
        failures=[result for result in comparison.results if result.failure],
        settings={name: to_yaml(values) for name, values in settings.items()},
    )


def _classes(comparison: Comparison) -> list[tuple[str, Sequence[float]]]:
    """Each class, and its IoU of every measured network."""
    columns = zip(*(result.iou for result in comparison.ranked), strict=True)
    return list(zip(comparison.classes, columns, strict=False))
