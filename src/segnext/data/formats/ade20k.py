"""ADE20K SceneParse150 (Zhou et al., 2017): images/SPLIT/*.jpg, annotations/SPLIT/*.png; 0 is ignored."""

from dataclasses import replace

from segnext.data.formats.labels import LabelReader, table
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import find_pairs
from segnext.data.formats.source import Source
from segnext.data.formats.splits import assign_splits
from segnext.data.known import known_labels
from segnext.progress import Watch, quiet


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pairs of pictures and masks; label 1 of the masks is class 0."""
    found, problems = find_pairs(options)
    items, more, remarks = assign_splits(found, options)
    labels = known_labels("ade20k")
    read = LabelReader(labels, table(replace(options, offset=-1), labels.ignore))
    return Source(labels, tuple(items), (*problems, *more), read, tuple(remarks))
