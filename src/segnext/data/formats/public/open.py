"""The entrance: a folder of ours, or a public data set in its original layout."""

from collections.abc import Callable
from pathlib import Path

from segnext.data.folder import Folder
from segnext.data.formats.public import (
    Format,
    ade20k,
    camvid,
    cityscapes,
    coco_stuff,
    isaid,
    isprs,
    loveda,
    pascal_context,
    voc,
)
from segnext.data.formats.public.layout import Layout
from segnext.data.rasters.split import Rasters

OPENERS: dict[str, Callable[[Path], Layout]] = {
    "ade20k": ade20k.open_layout,
    "camvid": camvid.open_layout,
    "camvid_32": camvid.open_layout_32,
    "cityscapes": cityscapes.open_layout,
    "coco_stuff": coco_stuff.open_layout,
    "isaid": isaid.open_layout,
    "kitti": cityscapes.open_kitti,
    "loveda": loveda.open_layout,
    "pascal_context": pascal_context.open_layout,
    "pascal_context_60": pascal_context.open_layout_60,
    "potsdam": isprs.open_potsdam,
    "vaihingen": isprs.open_vaihingen,
    "voc": voc.open_layout,
}


def open_data(path: Path, format: Format | None = None) -> Folder | Layout:
    """The data set in `path`: ours (dataset.yaml with images/ and masks/, or with rasters), or as `format` says.

    Raises:
        SegNextError: when it is not laid out so.
    """
    if format is not None:
        return OPENERS[format](path)
    folder = Folder.open(path)
    return Rasters.of(folder) or folder
