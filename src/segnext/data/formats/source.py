"""What a source format hands to the import: what the labels mean, which pairs there are, how a mask is read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnext.data.formats.rotation import Extent
from segnext.data.masks import Mask
from segnext.labels import Labels

EXCHANGED = "masks in which the two classes were exchanged"  # a note


@dataclass(frozen=True)
class Problem:
    """A file of the source that is not imported.

    Attributes:
        file: the file.
        kind: a few words that group the reasons, such as "no mask".
        reason: one sentence.
        expected: nothing is wrong: the format has such files, as VOC has pictures that nobody labelled.
    """

    file: Path
    kind: str
    reason: str
    expected: bool = False


@dataclass(frozen=True)
class Item:
    """A picture and what its labels are read from.

    Attributes:
        name: name in the data set, without split and suffix, with forward slashes for sub-folders.
        image: the picture's file.
        mask: the mask, or the file with its annotations.
        split: its split in the source, "" when there is none.
        more: further masks of the picture.
        embedded: gives the picture's bytes where the annotations hold them; `image` then only names it.
    """

    name: str
    image: Path
    mask: Path
    split: str = ""
    more: tuple[Path, ...] = ()
    embedded: Callable[[], bytes] | None = None


@dataclass(frozen=True)
class Reading:
    """A mask in the labels of the data set, and notes: what was done to it, and to how many pixels or shapes.

    The mask is H x W; of multi-label classes x H x W, of 0 and 1.
    """

    mask: Mask
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A data set in a foreign format, ready to be read pair by pair.

    Attributes:
        labels: what the labels of `read`'s masks mean.
        items: the pairs, sorted.
        problems: files that belong to no pair.
        read: labels of a pair whose picture has that extent; raises SegNextError, best `PairError`. Called from several
            threads.
        remarks: sentences that people should read.
        settings: what decides, beside options and labels, what the pairs become; JSON.
    """

    labels: Labels
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]
    read: Callable[[Item, Extent], Reading]
    remarks: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
