"""Masks of 0 and 255."""

import numpy as np

from segnext.data.formats.classes import made_labels, title
from segnext.data.formats.named import named_items
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import find_pairs
from segnext.data.formats.source import EXCHANGED, Item, Reading, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.masks import PairError, read_grey
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet

NAMES = ("background", "foreground")
DIVIDED = "pixels between black and white divided by the threshold"
_COLORS = ((0, 0, 0), (230, 60, 60))


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pairs of pictures and masks of two grey levels: dark is the first class, from the threshold on the second."""
    names = options.names or NAMES
    if len(names) != 2:
        raise SegNextError(f"--names holds {len(names)} names; binary masks have two classes, the dark one first")
    found, problems = find_pairs(options)
    items, more, remarks = assign_splits(found, options)
    labels = made_labels(title(options.source), names, _COLORS)
    inverted = named_items(items, options.invert, "--invert", options.source)
    return Source(
        labels, tuple(items), (*problems, *more), lambda item, _: _read(item, options, item in inverted), tuple(remarks)
    )


def _read(item: Item, options: Options, inverted: bool) -> Reading:
    """Labels of a mask; `inverted` masks count from white."""
    grey = read_grey(item.mask)
    counts = np.bincount(grey.ravel(), minlength=256)
    if options.threshold > 1 and counts[1] and not counts[2:].any():
        raise PairError(
            "0 and 1", f"{item.mask}: holds 0 and 1 instead of 0 and 255; import it by --from labels, or --threshold 1"
        )
    notes = {EXCHANGED: 1} if inverted else {}
    mask = ((grey >= options.threshold) != inverted).astype(np.uint8)
    tolerance = options.tolerance or 0.0
    between = np.zeros(256, bool)
    between[1:255] = True
    levels = np.arange(256)
    between &= (levels > tolerance) & (levels < 255 - tolerance)
    count = int(counts[between].sum())
    if not count:
        return Reading(mask, notes)
    if options.others == "ignore":
        mask[between[grey]] = 255
        return Reading(mask, {**notes, "pixels between black and white ignored": count})
    return Reading(mask, {**notes, DIVIDED: count})
