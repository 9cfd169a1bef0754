"""Dividing a data set folder into train, val and test by groups of pictures that belong together."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from segnext.data.counts import count_classes
from segnext.data.folder import Folder, Pair
from segnext.errors import SegNextError
from segnext.files import walk
from segnext.plain import write_json
from segnext.progress import Watch

JOURNAL = ".split.json"  # the moves of a split that is under way
POOL = "train"  # where pictures come from
_COUNTER = re.compile(r"([_\-. ]+(x\d+[_\-. ]*y\d+|r(ow)?\d+[_\-. ]*c(ol)?\d+)|[_\-. ]*\d+)$", re.IGNORECASE)
_ROUNDS = 4  # of improving the first division

Counts = NDArray[np.int64]
Grouping = Callable[[PurePosixPath], str]


@dataclass(frozen=True)
class Plan:
    """Which picture goes where.

    Attributes:
        folder: the data set.
        groups: pictures of each group, their paths inside images/, such as train/a/1.jpg.
        split_of: the split of each group.
        counts: pixels of each class, (classes,), in each split.
    """

    folder: Folder
    groups: Mapping[str, Sequence[PurePosixPath]]
    split_of: Mapping[str, str]
    counts: Mapping[str, Counts]

    def pictures(self, split: str) -> int:
        """Number of pictures that a split will have."""
        return sum(len(self.groups[group]) for group, name in self.split_of.items() if name == split)

    def moves(self) -> list[tuple[str, str]]:
        """Old and new path of every file that moves, relative to the folder."""
        suffix = "" if self.folder.labels.multi_label else ".png"  # of a mask, or of a folder of them
        moves = []
        for group, split in sorted(self.split_of.items()):
            for picture in self.groups[group]:
                if picture.parts[0] != split:
                    target = PurePosixPath(split, *picture.parts[1:])
                    moves.append((f"masks/{picture.with_suffix(suffix)}", f"masks/{target.with_suffix(suffix)}"))
                    moves.append((f"images/{picture}", f"images/{target}"))
        return moves


def by_regex(pattern: str) -> Grouping:
    """Pictures whose stems agree in what the pattern's first group matches.

    Raises:
        SegNextError: when the pattern is wrong, or later does not match a stem.
    """
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise SegNextError(f"--group '{pattern}' is not a regular expression ({error}); mend it") from error
    if not regex.groups:
        raise SegNextError(f"--group '{pattern}' has no group; put what names the group in ( ), as in '^(.+)_[0-9]+$'")

    def group(picture: PurePosixPath) -> str:
        match = regex.search(picture.stem)
        if not match or match[1] is None:
            raise SegNextError(f"{picture}: --group '{pattern}' does not match its name; every picture needs a group")
        return match[1]

    return group


def by_prefix(picture: PurePosixPath) -> str:
    """The folder, and the name without its last number or place: frames of a sequence, tiles of a picture.

    `city_000001_000019` is in `city_000001`, `scene_x512_y0` in `scene`, `frame0012` in `frame`.
    """
    return PurePosixPath(*picture.parts[1:-1], _COUNTER.sub("", picture.stem)).as_posix()


def by_folder(picture: PurePosixPath) -> str:
    """The folder inside the split."""
    return PurePosixPath(*picture.parts[1:-1]).as_posix()


def alone(picture: PurePosixPath) -> str:
    """Each picture is a group."""
    return PurePosixPath(*picture.parts[1:]).as_posix()


def plan_split(
    path: Path, shares: Mapping[str, float], grouping: Grouping, *, seed: int, again: bool, watch: Watch
) -> Plan:
    """Divide the pictures of `train`, whole groups, so that every split gets its share of each class's pixels.

    The largest groups are placed first, each where it brings the splits closest to their shares, then single groups
    change places while that helps. The same folder, shares and seed always give the same plan.

    Args:
        path: the data set's folder.
        shares: the part that each new split gets, 0..1, as in {"val": 0.2}; train keeps the rest.
        grouping: the group of a picture.
        seed: decides between equally good divisions.
        again: also divide anew what these splits hold already.
        watch: is told of the masks read.

    Raises:
        SegNextError: when a share or the folder is wrong, there are too few groups, or a split has pictures already.
    """
    if not shares or min(shares.values()) <= 0 or sum(shares.values()) >= 1:
        raise SegNextError("--val and --test must be above 0 and together below 1, as in --val 0.2 --test 0.1")
    folder = Folder.open(path)
    pool = _pool(folder, shares, again)
    groups: dict[str, list[PurePosixPath]] = defaultdict(list)
    counts: dict[str, Counts] = defaultdict(lambda: np.zeros(len(folder.labels), np.int64))
    for done, (pair, count) in enumerate(zip(pool, count_classes(pool, folder.labels, 2).pixels, strict=True), 1):
        picture = PurePosixPath(pair.image.relative_to(path / "images"))
        groups[grouping(picture)].append(picture)
        counts[grouping(picture)] += count
        watch("masks", done, len(pool))
    if len(groups) <= len(shares):
        raise SegNextError(
            f"{path}: all {len(pool)} pictures are in {len(groups)} group{'s' * (len(groups) > 1)}, too few for "
            f"{len(shares) + 1} splits; {_finer(pool, shares, grouping)}"
        )
    all_shares = {POOL: 1 - sum(shares.values()), **shares}
    splits, names = list(all_shares), sorted(groups)
    pixels = np.stack([counts[name] for name in names])
    pictures = np.array([[len(groups[name])] for name in names])
    places = divide(np.hstack([pictures, pixels]).astype(np.float64), np.array(list(all_shares.values())), seed)
    totals = {split: pixels[places == place].sum(0) for place, split in enumerate(splits)}
    split_of = {name: splits[place] for name, place in zip(names, places, strict=True)}
    plan = Plan(folder, dict(groups), split_of, totals)
    _require_free(plan)
    return plan


def _finer(pool: Sequence[Pair], shares: Mapping[str, float], grouping: Grouping) -> str:
    """What to do about groups that are too few."""
    if len(pool) <= len(shares):
        return "add pictures"
    if grouping is by_folder:
        return "leave out --group-by to take every picture by itself, or group by names with --group-by prefix"
    return "leave out --group and --group-by to take every picture by itself, or name smaller groups by --group REGEX"


def _pool(folder: Folder, shares: Mapping[str, float], again: bool) -> list[Pair]:
    pool = folder.pairs(POOL)
    for split in shares:
        images = folder.path / "images" / split
        if not any(walk(images)):
            continue
        if not again:
            raise SegNextError(f"{images}: there are pictures in this split already; say --again to divide it anew")
        pool += folder.pairs(split)
    return pool


def divide(amounts: NDArray[np.float64], shares: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    """The split of each group.

    Args:
        amounts: (groups, kinds) pictures and pixels of each class.
        shares: (splits,) that sum to 1.
        seed: order of equally large groups.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    totals = amounts.sum(0)
    parts = amounts[:, totals > 0] / totals[totals > 0]  # (groups, kinds): each column sums to 1
    weights = np.array([max(1, parts.shape[1] - 1), *[1] * (parts.shape[1] - 1)])  # pictures: as all classes together
    order = random.permutation(len(parts))
    order = order[np.argsort(-parts[order].sum(1), kind="stable")]
    places = np.full(len(parts), -1)
    held = np.zeros((len(shares), parts.shape[1]))

    def costs(part: NDArray[np.float64]) -> NDArray[np.float64]:
        """What it costs to put a group into each split: by how much chi-squared from the shares changes."""
        deviation = held - shares[:, None]
        return np.asarray(((deviation + part) ** 2 - deviation**2) / shares[:, None] @ weights)

    for index in order:
        places[index] = costs(parts[index]).argmin()
        held[places[index]] += parts[index]
    for _ in range(_ROUNDS):
        for index in order:
            held[places[index]] -= parts[index]
            if np.count_nonzero(places == places[index]) > 1:  # no split is emptied
                places[index] = costs(parts[index]).argmin()
            held[places[index]] += parts[index]
    for empty in np.flatnonzero(np.bincount(places, minlength=len(shares)) == 0):
        donor = np.bincount(places).argmax()
        candidates = np.flatnonzero(places == donor)
        places[candidates[parts[candidates].sum(1).argmin()]] = empty
    return places


def _require_free(plan: Plan) -> None:
    targets: set[str] = set()
    for _, target in plan.moves():
        if target in targets or (plan.folder.path / target).exists():
            raise SegNextError(
                f"{plan.folder.path / target}: is in the way of another picture of this name; rename one of them"
            )
        targets.add(target)


def apply_split(plan: Plan, watch: Watch) -> None:
    """Move the files. Interrupted at any moment, `finish_split` or the next run of the command completes it.

    Raises:
        SegNextError: when files cannot be moved.
    """
    write_json(plan.moves(), plan.folder.path / JOURNAL)
    finish_split(plan.folder.path, watch)


def finish_split(path: Path, watch: Watch) -> int | None:
    """Complete the split that the journal in `path` holds; the number of its pictures, or None without a journal.

    Raises:
        SegNextError: when files of it are gone or cannot be moved.
    """
    journal = path / JOURNAL
    if not journal.is_file():
        return None
    try:
        moves = json.loads(journal.read_text(encoding="utf-8"))
        for done, (source, target) in enumerate(moves, 1):
            _move(path / source, path / target)
            watch("files", done, len(moves))
        for source, _ in moves:
            _remove_empty((path / source).parent, path)
        journal.unlink()
    except OSError as error:
        raise SegNextError(
            f"{error.filename}: cannot be moved ({error.strerror}); mend that and run the command again, which goes on"
        ) from error
    return len(moves) // 2


def _move(source: Path, target: Path) -> None:
    if target.exists() and not source.exists():
        return  # moved before the interruption
    if target.exists() or not source.exists():
        state = "both places" if target.exists() else "neither place"
        raise SegNextError(
            f"{source}: a split that was interrupted moves it to {target}, but it is in {state}; put it back and run "
            "the command again"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder that the moves emptied, and its parents; images/SPLIT and masks/SPLIT stay."""
    while len(folder.relative_to(root).parts) > 2 and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
