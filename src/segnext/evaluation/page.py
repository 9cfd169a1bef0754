"""The report of an evaluation or a training run: one HTML page that needs no other file and no network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext import pages
from segnext.evaluation.chart import Chart
from segnext.evaluation.examine import Score, mistakes
from segnext.evaluation.metrics import OTHERS, Metrics, mean
from segnext.evaluation.summary import COLUMNS, left_out
from segnext.labels import Labels
from segnext.pages import jpeg, png
from segnext.painting import WHITE, Mask, paint_errors, paint_mask, shrink_mask
from segnext.plain import to_yaml
from segnext.preprocess import Image
from segnext.words import percent

CONFUSIONS = 15  # listed
TABLE_LIMIT = 40  # classes; of more, the confusion matrix is a picture
SIDE = 440  # pixels: the longer side of a shown picture
SMALLEST_SHARE = 1e-6  # where the logarithmic bars of the histogram begin


@dataclass(frozen=True)
class Example:
    """A picture on the page; the four pictures are data URIs."""

    name: str
    score: Score
    photo: str
    truth: str
    prediction: str
    errors: str


@dataclass(frozen=True)
class Page:
    """What the page shows.

    Attributes:
        title: its heading.
        metrics: of the split.
        labels: names and colours of the classes.
        split: the split that was measured.
        facts: what is to be known of it, as (name, value), for people.
        examples: the worst pictures, the worst first.
        shares: for each split, each class's share of the labelled pixels.
        charts: curves over the steps of a training.
        details: of the weights, by heading: recipe, versions, ...
        typical: pictures around the median.
    """

    title: str
    metrics: Metrics
    labels: Labels
    split: str
    facts: Sequence[tuple[str, str]] = ()
    examples: Sequence[Example] = ()
    shares: Mapping[str, Sequence[float]] = field(default_factory=dict)
    charts: Sequence[Chart] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    typical: Sequence[Example] = ()


def write_page(page: Page, path: Path) -> None:
    """Write the page; OSError when it cannot be written."""
    filters = {
        "percent": lambda ratio: percent(ratio, 2, "").replace("-", "–"),
        "count": "{:,}".format,
        "bar": _bar,
        "yaml": _yaml,
    }
    few, single = len(page.labels) <= TABLE_LIMIT, not page.metrics.multi_label
    pages.write_page(
        path,
        "report.html",
        filters,
        page=page,
        metrics=page.metrics,
        classes=_class_rows(page),
        columns=[(COLUMNS[name], mean(ratios)) for name, ratios in page.metrics.per_class().items()],
        left_out=left_out(page.metrics),
        few=few,
        rows=_confusion_rows(page.metrics) if few and single else None,
        picture=_confusion_picture(page.metrics) if single and not few else None,
        confused=mistakes(page.metrics, CONFUSIONS),
        colors={
            name: _css(color)
            for name, color in zip((*page.labels.classes, OTHERS), (*page.labels.colors, WHITE), strict=True)
        },
    )


def example(name: str, score: Score, photo: Image, truth: Mask, prediction: Mask, labels: Labels) -> Example:
    """A picture as the page shows it, no larger than `SIDE`."""
    scale = min(1.0, SIDE / max(truth.shape[-2:]))
    height, width = (max(1, round(side * scale)) for side in truth.shape[-2:])
    photo = np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    truth, prediction = (shrink_mask(mask, height, width) for mask in (truth, prediction))
    return Example(
        name,
        score,
        jpeg(photo),
        png(paint_mask(truth, labels)),
        png(paint_mask(prediction, labels)),
        jpeg(paint_errors(photo, truth, prediction, labels.ignore)),
    )


def _class_rows(page: Page) -> list[dict[str, Any]]:
    metrics = page.metrics
    columns = metrics.per_class().values()
    return [
        {"label": label, "name": name, "ratios": ratios, "share": share}
        for label, (name, share, *ratios) in enumerate(zip(metrics.classes, metrics.shares, *columns, strict=True))
    ]


def _row_shares(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows divided by their sums; zeros where there is nothing."""
    return np.asarray(confusion / np.maximum(confusion.sum(1, keepdims=True), 1))


def _confusion_rows(metrics: Metrics) -> list[list[tuple[float, int]]]:
    """For each true class, of each predicted one: the share of the row, and the pixels."""
    shares = _row_shares(metrics.confusion)
    return [
        list(zip(row.tolist(), counts.tolist(), strict=True))
        for row, counts in zip(shares, metrics.confusion, strict=True)
    ]


def _confusion_picture(metrics: Metrics) -> str:
    """A pixel per cell, more opaque for larger shares, stretched near zero so that rare confusions show too."""
    alpha = (255 * np.sqrt(_row_shares(metrics.confusion))).round().astype(np.uint8)
    blue = np.broadcast_to(np.array([37, 99, 185], np.uint8), (*alpha.shape, 3))
    return pages.encoded(PIL.Image.fromarray(np.dstack([blue, alpha])), "png", optimize=True)


def _css(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _bar(share: float) -> str:
    """Length of a logarithmic bar, 0..1."""
    if share <= 0:
        return "0"
    return f"{max(0.02, 1 - math.log10(share) / math.log10(SMALLEST_SHARE)):.3f}"


def _yaml(content: Any) -> str:
    return to_yaml(content, width=100).strip()
