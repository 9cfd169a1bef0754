"""Pascal VOC (Everingham et al.): JPEGImages, SegmentationClass, ImageSets/Segmentation/*.txt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segnext.data.formats.classes import DERIVE, given_labels
from segnext.data.formats.labels import IGNORE, LabelReader, derive, table
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of, find_pairs
from segnext.data.formats.public.voc import IMAGES, MASKS, read_labels
from segnext.data.formats.source import Problem, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.known import known_labels
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet
from segnext.words import listed, quoted

LABELMES = "SegmentationClassPNG"  # of labelme2voc, which may have matrices in SegmentationClass


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pairs with the splits of ImageSets; masks are palette pictures, or RGB in the colours of that palette.

    Pictures without a mask are no mistake: VOC labels a part of its pictures only.
    """
    root = _root(options.source)
    masks = options.masks or (LABELMES if (root / LABELMES).is_dir() else MASKS)
    options = replace(options, source=root, images=options.images or IMAGES, masks=masks)
    found, problems = find_pairs(options)
    items, more, remarks = assign_splits(found, options)
    labels = given_labels(options)
    if labels is None and options.classes == DERIVE:
        labels, extra = derive(items, read_labels, table(options, IGNORE), options, watch)
        remarks += extra
    labels = labels or known_labels("voc")
    read = LabelReader(labels, table(options, labels.ignore), values=read_labels)
    return Source(labels, tuple(items), (*_expected(problems), *more), read, tuple(remarks))


def _root(source: Path) -> Path:
    """The folder that holds JPEGImages: the source, or one below it."""
    if (source / IMAGES).is_dir():
        return source
    paths = (file.relative_to(source).parts for file in files_of(source))
    roots = sorted({source.joinpath(*parts[: parts.index(IMAGES)]) for parts in paths if IMAGES in parts})
    if not roots:
        raise SegNextError(
            f"{source}: there is no folder {IMAGES} in it, as Pascal VOC has; give the folder that holds it, such as "
            f"VOCdevkit/VOC2012, or let 'segnext data check {quoted(source)}' tell the format"
        )
    if len(roots) > 1:
        raise SegNextError(
            f"{source}: holds {len(roots)} folders {IMAGES} (in {listed(roots)}); "
            "give the one that holds what you want, such as VOCdevkit/VOC2012"
        )
    return roots[0]


def _expected(problems: Sequence[Problem]) -> list[Problem]:
    return [replace(problem, expected=True) if problem.kind == "no mask" else problem for problem in problems]
