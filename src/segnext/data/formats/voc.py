"""Pascal VOC (Everingham et al.): JPEGImages, SegmentationClass, ImageSets/Segmentation/*.txt."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.data.formats.class_lists import find_class_list
from segnext.data.formats.classes import DERIVE, given_labels
from segnext.data.formats.labels import IGNORE, LabelReader, Values, derive, made_of, table, used_labels
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of, find_pairs
from segnext.data.formats.public.voc import IMAGES, MASKS, palette_of, read_labels
from segnext.data.formats.source import Item, Problem, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.known import known_labels
from segnext.data.masks import PairError
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.progress import Watch, quiet
from segnext.words import listed, quoted

_VOC_NAME = re.compile(r"20\d\d_\d+")  # of VOC's pictures: 2007_000032
LABELMES = "SegmentationClassPNG"  # of labelme2voc, which may have matrices in SegmentationClass


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pairs with the splits of ImageSets; masks are palette pictures, or RGB in the colours of that palette.

    Pictures without a mask are no mistake: VOC labels a part of its pictures only.
    """
    source, root = options.source, _root(options.source)
    masks = options.masks or (LABELMES if (root / LABELMES).is_dir() else MASKS)
    options = replace(options, source=root, images=options.images or IMAGES, masks=masks)
    found, problems = find_pairs(options)
    items, more, remarks = assign_splits(found, options)
    labels, extra = _labels(items, options, (source, root), watch)
    remarks = [*extra, *remarks]
    read = LabelReader(labels, table(options, labels.ignore), values=_values(labels))
    return Source(labels, tuple(items), (*_expected(problems), *more), read, tuple(remarks))


def _labels(items: Sequence[Item], options: Options, folders: Sequence[Path], watch: Watch) -> tuple[Labels, list[str]]:
    """The classes that are given, lie beside the masks, are VOC's, or are made of the masks; and remarks for people.

    People use this layout for classes of their own, which nothing in it tells: their pictures have other names than
    VOC's, and their masks hold the labels from 0 on without gaps, but not all of VOC's, or others than VOC's.
    """
    if (labels := given_labels(options)) is not None:
        return labels, []
    if options.classes == DERIVE:
        return derive(items, read_labels, table(options, IGNORE), options, watch)
    if found := find_class_list(*folders):
        return found[0], [f"the classes are those of {found[1]}; --classes FILE or --like voc names others"]
    voc = known_labels("voc")
    if 2 * sum(_VOC_NAME.fullmatch(item.image.stem) is not None for item in items) >= len(items):
        return voc, []
    used = used_labels(items, read_labels, table(options, IGNORE), watch)
    seen = used - {IGNORE, -1}
    last = max(seen, default=0)
    shown = listed(sorted(seen), len(voc) + 2)
    if seen and (last >= len(voc) or (last < len(voc) - 1 and len(seen) == last + 1)):
        labels, remarks = made_of(used, options)
        return labels, [
            f"the masks hold the labels {shown}, not those of VOC, so these are taken for classes of your own; "
            "--classes FILE names them, and --like voc takes them for VOC's",
            *remarks,
        ]
    names = listed(voc.classes[label] for label in sorted(seen))
    return voc, [
        f"the labels {shown} are taken for VOC's ({names}); if they are classes of your own, give --classes FILE, or "
        "--classes derive"
    ] if seen else []


def _values(labels: Labels) -> Values:
    """Reads masks in the colours of the classes, or in VOC's."""
    own = palette_of(labels)

    def read(mask: Path) -> NDArray[np.int32]:
        try:
            return read_labels(mask, own)
        except PairError:
            return read_labels(mask)

    return read


def _root(source: Path) -> Path:
    """The folder that holds JPEGImages: the source, or one below it."""
    if (source / IMAGES).is_dir():
        return source
    paths = (file.relative_to(source).parts for file in files_of(source))
    roots = sorted({source.joinpath(*parts[: parts.index(IMAGES)]) for parts in paths if IMAGES in parts})
    if not roots:
        raise SegNextError(
            f"{source}: there is no folder {IMAGES} in it, as Pascal VOC has; give the folder that holds it, such as "
            f"VOCdevkit/VOC2012; to know the format: segnext data check {quoted(source)}"
        )
    if len(roots) > 1:
        raise SegNextError(
            f"{source}: holds {len(roots)} folders {IMAGES} (in {listed(roots)}); "
            "give the one that holds what you want, such as VOCdevkit/VOC2012"
        )
    return roots[0]


def _expected(problems: Sequence[Problem]) -> list[Problem]:
    return [replace(problem, expected=True) if problem.kind == "no mask" else problem for problem in problems]
