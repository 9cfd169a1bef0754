"""Val pictures beside truth, prediction and errors: one PNG for people, small strips for TensorBoard."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from segnext.figures import drawing
from segnext.labels import Labels
from segnext.painting import Mask, paint_errors, paint_mask, shrink_mask, wrong_and_ignored
from segnext.preprocess import Image

Item = tuple[Image, Mask, Mask]  # photo, truth, prediction

COLUMN, GAP, TITLE = 3.2, 0.06, 0.32  # inches: width of a picture, space between pictures, height of the titles
STRIP = 224  # pixels: width of a picture in a strip


def draw_examples(items: Sequence[Item], labels: Labels, out: Path) -> None:
    """Draw rows of photo, truth, prediction and errors as a PNG, with the legend of the classes in them.

    Args:
        items: (photo H x W x 3, truth H x W, prediction H x W); each row may have its own size. Multi-label truth and
            prediction are classes x H x W.
        labels: names, colours and the label to ignore, which counts neither right nor wrong.
        out: the PNG.
    """
    heights = [COLUMN * float(np.clip(photo.shape[0] / photo.shape[1], 0.3, 2.0)) for photo, _, _ in items]
    width = 4 * COLUMN + 5 * GAP
    handles = _legend(items, labels)
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    columns = max(1, int(width / (0.6 + 0.085 * longest)))
    legend = 0.15 + 0.24 * -(-len(handles) // columns)
    height = TITLE + sum(heights) + GAP * len(items) + legend
    with drawing(out, (width, height), layout=None) as figure:
        for index, title in enumerate(("photo", "truth", "prediction", "errors (red), ignored (dark)")):
            center = GAP + index * (COLUMN + GAP) + COLUMN / 2
            figure.text(center / width, 1 - TITLE / 2 / height, title, ha="center", va="center")
        bottom = height - TITLE
        for item, row_height in zip(items, heights, strict=True):
            bottom -= row_height
            _draw_row(figure, item, labels, bottom, row_height)
            bottom -= GAP
        figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=9)


def _draw_row(figure: Figure, item: Item, labels: Labels, bottom: float, row_height: float) -> None:
    """Photo, truth, prediction and errors side by side, `bottom` inches above the figure's lower edge."""
    _, truth, prediction = item
    painted = _panels(item, labels)
    width, height = figure.get_size_inches()
    for index, picture in enumerate(painted):
        left = GAP + index * (COLUMN + GAP)
        axes = figure.add_axes((left / width, bottom / height, COLUMN / width, row_height / height))
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color="0.7", linewidth=0.5)
    wrong, ignored = wrong_and_ignored(truth, prediction, labels.ignore)
    right = f"{100 * (1 - wrong.sum() / (~ignored).sum()):.1f} % right" if not ignored.all() else "all ignored"
    box = {"facecolor": "black", "alpha": 0.65, "linewidth": 0, "boxstyle": "square,pad=0.3"}
    axes.text(0.02, 0.03, right, transform=axes.transAxes, color="white", fontsize=10, bbox=box)


def strip(item: Item, labels: Labels) -> Image:
    """Photo, truth, prediction and errors in a row, each STRIP pixels wide."""
    height, width = item[1].shape[-2:]
    height = max(1, round(STRIP * height / width))
    photo = np.asarray(cv2.resize(item[0], (STRIP, height), interpolation=cv2.INTER_AREA), np.uint8)
    truth, prediction = (shrink_mask(mask, height, STRIP) for mask in item[1:])
    return np.concatenate(_panels((photo, truth, prediction), labels), axis=1)


def _panels(item: Item, labels: Labels) -> tuple[Image, Image, Image, Image]:
    photo, truth, prediction = item
    errors = paint_errors(photo, truth, prediction, labels.ignore)
    return photo, paint_mask(truth, labels), paint_mask(prediction, labels), errors


def _present(mask: Mask, labels: Labels) -> set[int]:
    """The labels in a mask."""
    if mask.ndim == 2:
        return set(np.unique(mask).tolist())
    ignored = {labels.ignore} if (mask[0] == labels.ignore).any() else set[int]()
    return ignored | {label for label, plane in enumerate(mask) if (plane == 1).any()}


def _legend(items: Sequence[Item], labels: Labels) -> list[Patch]:
    """A patch for each class in the truths and predictions, and one for ignored pixels."""
    present = {label for _, *masks in items for mask in masks for label in _present(mask, labels)}
    handles = [
        Patch(facecolor="#{:02x}{:02x}{:02x}".format(*color), edgecolor="0.3", linewidth=0.5, label=name)
        for label, (name, color) in enumerate(zip(labels.classes, labels.colors, strict=True))
        if label in present
    ]
    if labels.ignore in present:
        handles.append(Patch(facecolor="white", edgecolor="0.3", linewidth=0.5, label="ignored"))
    return handles
