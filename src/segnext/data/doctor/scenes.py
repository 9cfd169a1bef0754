"""Pictures that belong together: copies of each other, shots of one time, scenes by their names and looks."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

import numpy as np

from segnext.data.curate.split import Grouping, by_folder, by_prefix
from segnext.data.doctor.duplicates import Copy
from segnext.data.doctor.records import PairRecord
from segnext.errors import SegNextError
from segnext.pillow import open_picture

PAUSE = 60  # seconds between pictures of one shot
CLOSER = 0.15  # by which pictures of one scene must be more alike, as a correlation, than those of two
FEWEST = 8  # pictures, below which nothing is measured
RUNS = 10  # parts of a clip
COMPARED = 400  # pairs of pictures, within scenes and across them, that are compared
_TIME = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_.T ]?(\d\d)[-_.:]?(\d\d)[-_.:]?(\d\d)(?!\d)")
_TAKEN, _CHANGED, _EXIF = 36867, 306, 0x8769  # EXIF tags: when a picture was taken, and changed; where the first is

Groups = Mapping[PurePosixPath, str]  # of each picture, below images/, the group


def by_copies(pictures: Sequence[PurePosixPath], copies: Iterable[Copy]) -> Groups:
    """Pictures that are copies of each other, exactly or nearly; the group is the first one's path."""
    first = list(range(len(pictures)))

    def top(index: int) -> int:
        while first[index] != index:
            index = first[index]
        return index

    for copy in copies:
        one, two = sorted((top(copy.first), top(copy.second)))
        first[two] = one
    return {picture: pictures[top(index)].as_posix() for index, picture in enumerate(pictures)}


def joined(groups: Groups, rule: Grouping) -> Groups:
    """Groups by a rule, of which those are one that copies connect."""
    name = {picture: rule(picture) for picture in groups}
    same: dict[str, str] = {}

    def top(group: str) -> str:
        while same.get(group, group) != group:
            group = same[group]
        return group

    first: dict[str, str] = {}
    for picture, copies in groups.items():
        one, two = sorted((top(first.setdefault(copies, name[picture])), top(name[picture])))
        same[two] = one
    return {picture: top(group) for picture, group in name.items()}


def by_time(root: Path, pictures: Sequence[PurePosixPath]) -> Groups:
    """Pictures taken without a pause of a minute, by EXIF or by times in their names.

    Raises:
        SegNextError: when a picture says no time.
    """
    times = {picture: _time_of(root / "images" / picture) for picture in pictures}
    untold = [picture for picture, time in times.items() if time is None]
    if untold:
        raise SegNextError(
            f"{root / 'images' / untold[0]}: says no time it was taken at, neither in EXIF nor in its name "
            f"({len(untold)} such pictures); group by --group-by copies, scene or folder"
        )
    groups: dict[PurePosixPath, str] = {}
    before: datetime | None = None
    group = ""
    for picture, time in sorted(times.items(), key=lambda entry: (str(entry[1]), entry[0])):
        assert time is not None
        if before is None or (time - before).total_seconds() > PAUSE:
            group = str(time)
        groups[picture], before = group, time
    return groups


def _time_of(file: Path) -> datetime | None:
    try:
        with open_picture(file) as picture:
            exif = picture.getexif()
            texts = [str(exif.get_ifd(_EXIF).get(_TAKEN, "")), str(exif.get(_CHANGED, ""))]
    except Exception:  # damaged EXIF data, or a raster that Pillow does not read
        texts = []
    for text in (*(text.replace(":", "-") for text in texts), file.stem):
        if match := _TIME.search(text):
            try:
                return datetime(*map(int, match.groups()))  # type: ignore[arg-type]
            except ValueError:  # digits that are no time
                continue
    return None


def scene_rule(pictures: Sequence[PurePosixPath], records: Sequence[PairRecord]) -> Grouping | None:
    """The first rule for names whose groups look more alike inside than across, so that they seem to be scenes.

    Names without their last number, folders, and parts of what is numbered through, as the frames of one clip.
    """
    kept = [index for index, record in enumerate(records) if record.image.thumb]
    if len(kept) < FEWEST:
        return None
    thumbs = [records[index].image.thumb for index in kept]
    for rule in (by_prefix, by_folder, by_run(pictures)):
        if _gain([rule(pictures[index]) for index in kept], thumbs) > CLOSER:
            return rule
    return None


def by_run(pictures: Sequence[PurePosixPath]) -> Grouping:
    """A tenth of all pictures each, in the order of their numbers: parts of a clip of which neighbours look alike."""

    def order(picture: PurePosixPath) -> tuple[str, int, str]:
        digits = re.search(r"\d+$", picture.stem)
        return by_prefix(picture), int(digits[0]) if digits else 0, picture.as_posix()

    size = max(2, -(-len(pictures) // RUNS))
    place = {picture: position // size for position, picture in enumerate(sorted(pictures, key=order))}
    return lambda picture: f"part {place[picture] + 1}"


def _gain(groups: list[str], thumbs: Sequence[bytes]) -> float:
    """How much more alike pictures of one group are than those of two, as a correlation; 0 for groups of no use."""
    sizes = Counter(groups)
    if not 2 < len(sizes) <= len(groups) / 2 or max(sizes.values()) > len(groups) / 2:
        return 0.0
    number = {group: place for place, group in enumerate(sizes)}
    labels = np.array([number[group] for group in groups])
    random = np.random.Generator(np.random.PCG64(0))
    first = random.integers(0, len(groups), 50 * COMPARED)
    order = np.argsort(labels, kind="stable")  # members of a group side by side, so that each finds another of its own
    starts = np.searchsorted(labels[order], labels[first])
    mates = order[starts + random.integers(0, np.bincount(labels)[labels[first]])]
    others = random.integers(0, len(groups), first.size)
    pairs = ((mates, mates != first), (others, labels[others] != labels[first]))
    inside, across = (
        [_alike(thumbs[one], thumbs[two]) for one, two in zip(first[good][:COMPARED], second[good], strict=False)]
        for second, good in pairs
    )
    return float(np.median(inside) - np.median(across)) if inside and across else 0.0


def _alike(one: bytes, two: bytes) -> float:
    """The correlation of two thumbnails; 0 where one is plain."""
    values = np.stack([np.frombuffer(thumb, np.uint8) for thumb in (one, two)]).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(values, axis=1)
    return float(values[0] @ values[1] / (norms[0] * norms[1])) if norms.all() else 0.0
