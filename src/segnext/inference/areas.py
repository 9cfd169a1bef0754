"""A result's connected areas, in the forms that other programs take."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segnext.labels import Labels

NO_CLASS = 255
NO_LABEL = 256  # of no pixel


class Area(NamedTuple):
    """A connected area of one class.

    Attributes:
        label: of the class.
        name: of the class.
        polygon: a shapely Polygon along the pixels' edges, in pixels: x right, y down, from the picture's corner.
    """

    label: int
    name: str
    polygon: Any


def areas_of(mask: NDArray[np.uint8], labels: Labels) -> Iterator[Area]:
    """The areas (connected over edges, not corners) of every class; ignored pixels belong to none.

    `mask` is (H, W), or multi-label, (classes, H, W).

    Raises:
        SegNextError: when rasterio or shapely are not installed.
    """
    from segnext.inference.rasters.polygons import areas

    if mask.ndim == 2:
        parts = areas(iter([mask]), labels.ignore)
    else:
        planes = (np.where(plane, np.uint8(label), NO_CLASS) for label, plane in enumerate(mask))
        parts = (area for plane in planes for area in areas(iter([plane.astype(np.uint8)]), NO_CLASS))
    for label, polygon in parts:
        yield Area(label, labels.classes[label], polygon)


def geojson_of(
    mask: NDArray[np.uint8], labels: Labels, move: Callable[[Any], Any] = lambda polygon: polygon
) -> dict[str, Any]:
    """A FeatureCollection, in the picture's pixels unless `move` moves them; `label` and `class` are properties."""
    features = [
        {
            "type": "Feature",
            "properties": {"class": area.name, "label": area.label},
            "geometry": move(area.polygon).__geo_interface__,
        }
        for area in areas_of(mask, labels)
    ]
    return {"type": "FeatureCollection", "features": features}


def outlines_of(
    mask: NDArray[np.uint8], labels: Labels, ignored: str = ""
) -> Iterator[tuple[int, str, NDArray[np.float64]]]:
    """Areas as tools keep them that know no holes, the largest first: what lies in a hole is painted on top.

    Filled in this order, each with its edge, as labelme and OpenCV fill polygons, they give the mask.

    Args:
        mask: (H, W).
        labels: what it means.
        ignored: the name of areas of the ignore label; without, these are left out.

    Yields:
        The label, its name, and the middles of the pixels at the corners, (n, 2), n at least 4: x right, y down.
    """
    import shapely

    from segnext.inference.rasters.polygons import areas

    found = areas(iter([mask]), NO_LABEL)
    for label, polygon in sorted(found, key=lambda area: -shapely.Polygon(area[1].exterior).area):
        if label != labels.ignore:
            yield label, labels.classes[label], _through_middles(polygon)
        elif ignored:
            yield label, ignored, _through_middles(polygon)


def _through_middles(polygon: Any) -> NDArray[np.float64]:
    """The outer edge, which runs between pixels, moved into them by half a pixel."""
    ring = polygon.exterior if polygon.exterior.is_ccw else polygon.exterior.reverse()
    corners = np.asarray(ring.coords)[:-1]
    after = np.sign(np.roll(corners, -1, axis=0) - corners)  # the direction of the edge that begins at each corner
    across = after + np.roll(after, 1, axis=0)  # along one of both edges, inwards is left of the other
    inwards: NDArray[np.float64] = np.stack([-across[:, 1], across[:, 0]], 1)
    return corners + inwards / 2 - 0.5  # the first pixel's middle is at 0
