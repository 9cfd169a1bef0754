"""What `rasters:` in a dataset.yaml says: for each split, pictures and where their labels are. Plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from segnext.documents import shown
from segnext.errors import SegNextError

BLOCK = 1024  # pixels


@dataclass(frozen=True)
class Source:
    """A raster and its labels.

    Attributes:
        image: the raster.
        labels: a raster of labels on the same grid; or None.
        polygons: a file of them, as .gpkg, .geojson, .fgb, .shp, in any coordinate system; or None.
        attribute: the polygons' field that says their class, by name or label; None where all are of class 1.
        background: the class where no polygon is; None for the ignore label.
        buffer: how far from the polygons' edges pixels are ignored, in units of the raster's coordinates.
        inside: polygons within which pixels count; None for everywhere.
        outside: polygons within which they do not.
    """

    image: Path
    labels: Path | None = None
    polygons: Path | None = None
    attribute: str | None = None
    background: str | None = None
    buffer: float = 0.0
    inside: Path | None = None
    outside: Path | None = None


FILES = ("image", "labels", "polygons", "inside", "outside")


def listing(content: Mapping[str, Any], folder: Path, file: str) -> dict[str, tuple[Source, ...]]:
    """The sources of each split; none where there is no `rasters`. `file` names the dataset.yaml in messages.

    Raises:
        SegNextError: when they are not written as they should be.
    """
    splits = content.get("rasters")
    if splits is None:
        return {}
    valid = isinstance(splits, dict) and splits and all(isinstance(found, list) and found for found in splits.values())
    if not valid:
        raise SegNextError(
            f"{file}: 'rasters' is {shown(splits)}; list them by split: 'rasters: {{train: [{{image: a.tif}}]}}'"
        )
    return {str(name): tuple(_source(entry, folder, file) for entry in found) for name, found in splits.items()}


def block_of(content: Mapping[str, Any], file: str) -> int:
    """The side of the blocks that rasters are read in.

    Raises:
        SegNextError: when it is no number of pixels.
    """
    block = content.get("block", BLOCK)
    if type(block) is not int or block < 32:
        raise SegNextError(f"{file}: 'block' is {shown(block)}; it must be a number of pixels from 32 on")
    return block


def _source(entry: Any, folder: Path, file: str) -> Source:
    known = [field.name for field in fields(Source)]
    if not isinstance(entry, dict) or "image" not in entry or not set(entry) <= set(known):
        raise SegNextError(
            f"{file}: an entry of 'rasters' is {shown(entry)}; it has an image, and may have {', '.join(known[1:])}"
        )
    texts = [name for name in known if name != "buffer" and not isinstance(entry.get(name), str | None)]
    if texts or not isinstance(entry.get("buffer", 0), int | float) or entry.get("buffer", 0) < 0:
        wrong = (texts or ["buffer"])[0]
        raise SegNextError(f"{file}: '{wrong}' of {entry['image']} is {shown(entry[wrong])}; see docs/rasters.md")
    if (entry.get("labels") is None) == (entry.get("polygons") is None):
        raise SegNextError(f"{file}: {entry['image']} needs either 'labels', a raster, or 'polygons'")
    if entry.get("polygons") is None and {"attribute", "background", "buffer"} & set(entry):
        raise SegNextError(
            f"{file}: {entry['image']} has labels in a raster; attribute, background and buffer are for polygons"
        )
    paths = {name: folder / entry[name] for name in FILES if entry.get(name) is not None}
    return Source(**{**entry, **paths, "buffer": float(entry.get("buffer", 0))})
