"""A result's connected areas, in the forms that other programs take."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segnext.labels import Labels

NO_CLASS = 255


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


def geojson_of(mask: NDArray[np.uint8], labels: Labels) -> dict[str, Any]:
    """A FeatureCollection in the picture's pixels; `label` and `class` are properties."""
    features = [
        {
            "type": "Feature",
            "properties": {"label": area.label, "class": area.name},
            "geometry": area.polygon.__geo_interface__,
        }
        for area in areas_of(mask, labels)
    ]
    return {"type": "FeatureCollection", "features": features}


def coco_of(mask: NDArray[np.uint8], labels: Labels, file_name: str) -> dict[str, Any]:
    """A COCO data set of one picture; each area is an annotation, a polygon, or run lengths where it has holes.

    Category ids are labels plus 1, since COCO's begin at 1.
    """
    height, width = mask.shape[-2:]
    annotations = []
    for number, area in enumerate(areas_of(mask, labels), 1):
        left, top, right, bottom = area.polygon.bounds
        annotation = {
            "id": number,
            "image_id": 1,
            "category_id": area.label + 1,
            "bbox": [left, top, right - left, bottom - top],
            "area": area.polygon.area,
            "iscrowd": int(bool(area.polygon.interiors)),
            "segmentation": _segmentation(area.polygon, height, width),
        }
        annotations.append(annotation)
    return {
        "images": [{"id": 1, "file_name": file_name, "height": height, "width": width}],
        "categories": [{"id": label + 1, "name": name} for label, name in enumerate(labels.classes)],
        "annotations": annotations,
    }


def _segmentation(polygon: Any, height: int, width: int) -> Any:
    if not polygon.interiors:
        return [np.asarray(polygon.exterior.coords)[:-1].ravel().tolist()]
    import rasterio.features

    inside = rasterio.features.rasterize([(polygon, 1)], (height, width), dtype=np.uint8)
    return {"size": [height, width], "counts": run_lengths(inside)}


def run_lengths(mask: NDArray[np.uint8]) -> list[int]:
    """How many zeros, ones, zeros, ... follow each other, column by column, as COCO counts them."""
    flat = np.concatenate([[0], (mask != 0).astype(np.int8).ravel(order="F")])
    changes = np.flatnonzero(np.diff(flat))
    return [int(length) for length in np.diff(np.concatenate([[0], changes, [mask.size]]))]
