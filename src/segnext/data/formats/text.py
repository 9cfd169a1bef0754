"""Labels as matrices of numbers: text files (blanks, commas, semicolons or tabs between numbers) or numpy's."""

from collections import Counter
from dataclasses import replace

from segnext.data.formats import labels
from segnext.data.formats.class_lists import NAMES
from segnext.data.formats.options import Options
from segnext.data.formats.pairs import files_of
from segnext.data.formats.source import Source
from segnext.data.masks import ARRAYS, TEXTS
from segnext.data.names import split_of
from segnext.errors import SegNextError
from segnext.progress import Watch, quiet


def open_source(options: Options, watch: Watch = quiet) -> Source:
    """Pairs of pictures and matrices, read as masks of labels are."""
    suffixes = Counter(
        file.suffix
        for file in files_of(options.source)
        if file.suffix.lower() in (*TEXTS, *ARRAYS) and file.name not in NAMES and not split_of(file.stem)
    )
    if not suffixes:
        raise SegNextError(f"{options.source}: holds no matrices of labels ({', '.join((*TEXTS, *ARRAYS))})")
    suffix = suffixes.most_common(1)[0][0]
    return labels.open_source(replace(options, masks=f"{options.masks or ''}*{suffix}"), watch)
