"""COCO data sets (Lin et al., 2014) of results: a polygon for each area, or run lengths where it has holes."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.files import replacing
from segnext.inference.areas import areas_of
from segnext.labels import Labels

Picture = dict[str, Any]  # "image" and its "annotations", without ids


def coco_picture(mask: NDArray[np.uint8], labels: Labels, file_name: str) -> Picture:
    """What a COCO data set holds of one picture. Category ids are labels plus 1, since COCO's begin at 1."""
    height, width = mask.shape[-2:]
    annotations = []
    for area in areas_of(mask, labels):
        left, top, right, bottom = area.polygon.bounds
        annotation = {
            "category_id": area.label + 1,
            "bbox": [left, top, right - left, bottom - top],
            "area": area.polygon.area,
            "iscrowd": int(bool(area.polygon.interiors)),
            "segmentation": _segmentation(area.polygon, height, width),
        }
        annotations.append(annotation)
    return {"image": {"file_name": file_name, "height": height, "width": width}, "annotations": annotations}


def coco_of(mask: NDArray[np.uint8], labels: Labels, file_name: str) -> dict[str, Any]:
    """A COCO data set of one picture."""
    images, annotations = zip(*_numbered([coco_picture(mask, labels, file_name)]), strict=True)
    return {"images": [*images], "categories": _categories(labels), "annotations": annotations[0]}


def write_coco(file: Path, labels: Labels, pictures: Callable[[], Iterable[Picture]]) -> None:
    """Write a COCO data set, an entry a line; one picture is in memory at a time.

    Args:
        file: to write.
        labels: what the labels mean.
        pictures: gives them from the first on, each time it is called.
    """
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as lines:
        lines.write(f'{{"categories": {json.dumps(_categories(labels))},\n"images": [')
        lines.writelines(_lines(image for image, _ in _numbered(pictures())))
        lines.write('],\n"annotations": [')
        lines.writelines(_lines(one for _, annotations in _numbered(pictures()) for one in annotations))
        lines.write("]}\n")


def _lines(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        yield ("," if number else "") + "\n" + json.dumps(entry)


def _numbered(pictures: Iterable[Picture]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    before = 0
    for number, picture in enumerate(pictures, 1):
        annotations = [
            {"id": before + place, "image_id": number, **annotation}
            for place, annotation in enumerate(picture["annotations"], 1)
        ]
        before += len(annotations)
        yield {"id": number, **picture["image"]}, annotations


def _categories(labels: Labels) -> list[dict[str, Any]]:
    return [{"id": label + 1, "name": name} for label, name in enumerate(labels.classes)]


def _segmentation(polygon: Any, height: int, width: int) -> Any:
    if not polygon.interiors:
        return [np.asarray(polygon.exterior.coords)[:-1].ravel().tolist()]
    left, _, right, _ = map(int, polygon.bounds)
    crossed = np.zeros((height + 1, right - left), np.bool_)  # whether an edge lies above; edges are level or upright
    for ring in (polygon.exterior, *polygon.interiors):
        for (x, y), (end, same) in pairwise(np.asarray(ring.coords, np.int64) - (left, 0)):
            if y == same:
                crossed[y, min(x, end) : max(x, end)] ^= True
    runs = run_lengths(np.logical_xor.accumulate(crossed)[:-1].view(np.uint8))
    runs[0] += left * height
    after = (width - right) * height
    if len(runs) % 2:
        runs[-1] += after
    elif after:
        runs.append(after)
    return {"size": [height, width], "counts": runs}


def run_lengths(mask: NDArray[np.uint8]) -> list[int]:
    """How many zeros, ones, zeros, ... follow each other, column by column, as COCO counts them."""
    flat = np.concatenate([[0], (mask != 0).astype(np.int8).ravel(order="F")])
    changes = np.flatnonzero(np.diff(flat))
    return [int(length) for length in np.diff(np.concatenate([[0], changes, [mask.size]]))]
