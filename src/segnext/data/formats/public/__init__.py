"""Public data sets in their original folders, read in place: one module for each, and `open.py` in front."""

from typing import Literal, get_args

Format = Literal[
    "ade20k",
    "camvid",
    "camvid_32",
    "cityscapes",
    "coco_stuff",
    "isaid",
    "kitti",
    "loveda",
    "pascal_context",
    "pascal_context_60",
    "potsdam",
    "vaihingen",
    "voc",
]
FORMATS: tuple[Format, ...] = get_args(Format)
