"""How `segnext data split` groups pictures that belong together by what they show or when they were taken."""

from pathlib import Path

from segnext.data.curate.split import Grouping
from segnext.data.doctor.case import examine
from segnext.data.doctor.scenes import by_copies, by_time, joined
from segnext.data.doctor.survey import survey
from segnext.errors import SegNextError
from segnext.progress import Watch

KINDS = ("copies", "time", "scene")


def grouping_by(kind: str, path: Path, watch: Watch) -> Grouping:
    """How to group the pictures of a data set: as one of `KINDS`.

    Raises:
        SegNextError: when it cannot be read, or nothing tells times or scenes.
    """
    found = survey(path)
    if kind == "time":
        return by_time(found.root, found.pictures()).__getitem__
    case = examine(found, done=lambda count: watch("pictures", count, len(found.items)))
    copies = by_copies(found.pictures(), (*case.exact, *case.near))
    if kind == "copies":
        return copies.__getitem__
    if case.scenes is None:
        raise SegNextError(
            f"{path}: pictures whose names begin alike or that share a folder do not look more alike than others, so "
            "names tell no scenes; group by --group-by copies, or by names with --group REGEX"
        )
    return joined(copies, case.scenes).__getitem__
