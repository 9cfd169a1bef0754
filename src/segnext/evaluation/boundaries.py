"""How well the outlines of the classes are met: boundary IoU, and the boundary F-measure at a tolerance.

Boundary IoU: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021. Of each
class only the pixels count that are within 2 % of the picture's diagonal of its outline, inside it; the picture's edge
is an outline too.

Boundary F: of a class's outline pixels, how many of the predicted ones lie within 0.75 % of the diagonal of a true one
(precision), and how many of the true ones near a predicted one (recall); 2 P R / (P + R). Csurka et al., "What is a
good evaluation measure for semantic segmentation?", BMVC 2013. Its outlines do not run along the picture's edge.

Both are counted over a whole split: counts of pictures add up. Where the truth is ignored, nothing counts, and truth
and prediction have the same outline.
"""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.labels import Labels

BAND = 0.02  # of the diagonal: how wide the band along an outline is
TOLERANCE = 0.0075  # of the diagonal: how far apart two outlines may be

Mask = NDArray[Any]  # H x W
Inside = NDArray[np.bool_]  # H x W
# (6, C): of each class's bands the pixels in both and in either; of its outline the predicted pixels that are near a
# true one, all predicted ones, the true ones near a predicted one, all true ones.
Counts = NDArray[np.int64]


def boundary_counts(truth: Mask, prediction: Mask, num_classes: int, ignore: int) -> Counts:
    """Count along the outlines of a picture: (6, C), see `boundary_iou` and `boundary_f`.

    Args:
        truth: H x W labels 0..num_classes-1 and `ignore`.
        prediction: H x W labels; those from num_classes on are not counted themselves.
    """
    known = truth != ignore
    truth, prediction = (np.where(known, labels, ignore).astype(np.uint8) for labels in (truth, prediction))
    diagonal = float(np.hypot(*truth.shape))
    bands = [known & band(labels, max(1, round(BAND * diagonal))) for labels in (truth, prediction)]
    outlines = [known & outline(labels) for labels in (truth, prediction)]
    of_truth, of_prediction = _count(truth[bands[0]], num_classes), _count(prediction[bands[1]], num_classes)
    both = _count(truth[bands[0] & bands[1] & (truth == prediction)], num_classes)
    counts = np.zeros((6, num_classes), np.int64)
    counts[0], counts[1] = both, of_truth + of_prediction - both
    found = np.unique(np.concatenate([truth[outlines[0]], prediction[outlines[1]]]))
    for label in found[found < num_classes]:
        pair = outlines[1] & (prediction == label), outlines[0] & (truth == label)
        counts[2:, label] = tuple(_met(*pair, max(1.0, TOLERANCE * diagonal)))
    return counts


def outlines(truth: Mask, prediction: Mask, labels: Labels) -> Counts:
    """What is counted along the outlines of a picture, (6, C), be its labels one a pixel or several."""
    if labels.multi_label:
        return plane_counts(truth, prediction, labels.ignore)
    return boundary_counts(truth, prediction, len(labels), labels.ignore)


def plane_counts(truth: Mask, prediction: Mask, ignore: int) -> Counts:
    """The same of multi-label masks, (C, H, W) of 0, 1 and, in the truth, `ignore`."""
    planes = zip(truth, prediction, strict=True)
    return np.stack([boundary_counts(*plane, 2, ignore)[:, 1] for plane in planes], axis=1)


def band(labels: Mask, width: int) -> Inside:
    """Pixels within `width` (in rows and columns alike) of a pixel of another label, or of the picture's edge."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    near = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)  # all that is outside counts as equal
    near[:width] = near[-width:] = near[:, :width] = near[:, -width:] = True
    return np.asarray(near)


def outline(labels: Mask) -> Inside:
    """Pixels that have a neighbour of another label above, below, to the left or to the right."""
    along = np.zeros(labels.shape, bool)
    down, across = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    along[1:] |= down
    along[:-1] |= down
    along[:, 1:] |= across
    along[:, :-1] |= across
    return along


def boundary_iou(counts: Counts) -> NDArray[np.float64]:
    """Per class: of the two bands along its outlines, intersection over union; NaN where there is neither."""
    return _ratio(counts[0], counts[1])


def boundary_f(counts: Counts) -> NDArray[np.float64]:
    """Per class: the F-measure of its outline; NaN where there is none in truth nor prediction."""
    precision, recall = _ratio(counts[2], counts[3]), _ratio(counts[4], counts[5])
    total = np.nan_to_num(precision) + np.nan_to_num(recall)
    both = 2 * np.nan_to_num(precision) * np.nan_to_num(recall) / np.where(total > 0, total, 1)
    return np.asarray(np.where(counts[3] + counts[5] > 0, both, np.nan))


def _met(predicted: Inside, true: Inside, tolerance: float) -> Iterator[int]:
    """How many pixels of each of two outlines are near the other, each followed by all there are."""
    for one, other in ((predicted, true), (true, predicted)):
        total = int(one.sum())
        if total and other.any():
            distance = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            yield int((distance[one] <= tolerance).sum())
        else:
            yield 0
        yield total


def _count(labels: Mask, num_classes: int) -> NDArray[np.int64]:
    return np.bincount(labels, minlength=256)[:num_classes].astype(np.int64)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratios: NDArray[np.float64] = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return ratios
