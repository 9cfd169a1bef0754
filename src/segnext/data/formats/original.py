"""Public data sets in their original layout, brought into folders of ours."""

from pathlib import Path, PurePosixPath

from segnext.data.folder import Pair
from segnext.data.formats.options import Options
from segnext.data.formats.public.open import OPENERS
from segnext.data.formats.source import Item, Problem, Reading, Source
from segnext.data.formats.splits import LEAST_LEAKING, assign_splits, split_name
from segnext.data.names import bare_stem, folders_of
from segnext.progress import Watch, quiet


def open_source(kind: str, options: Options, watch: Watch = quiet) -> Source:
    """The pairs of all splits of the data set `kind`; a picture in several is in the one that leaks least."""
    data = OPENERS[kind](options.source)
    pair_of: dict[Path, tuple[str, Pair]] = {}
    splits = sorted(data.found, key=lambda name: LEAST_LEAKING.index(name) if name in LEAST_LEAKING else 99)
    for done, split in enumerate(splits, 1):
        for pair in data.found[split]():
            pair_of.setdefault(pair.image, (split, pair))
        watch("splits", done, len(splits))
    items = []
    problems = []
    for image, (split, pair) in pair_of.items():
        if not image.is_file():
            problems.append(Problem(image, "no picture", "it is listed, but not there; complete the download"))
        elif not pair.mask.is_file():
            problems.append(Problem(image, "no mask", f"there is no {pair.mask.name} for it"))
        else:
            items.append(Item(_name(image.relative_to(options.source)), image, pair.mask, split))
    items, more, remarks = assign_splits(sorted(items, key=lambda item: item.name), options)

    def read(item: Item, _: object) -> Reading:
        return Reading(pair_of[item.image][1].read_mask(data.labels))

    return Source(data.labels, tuple(items), (*problems, *more), read, tuple(remarks))


def _name(image: Path) -> str:
    """The path without the folders of the split and the words that say what it is."""
    folders = [folder for folder in folders_of(image) if not split_name(folder)]
    return PurePosixPath(*folders, bare_stem(image.stem)).as_posix()
