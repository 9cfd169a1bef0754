"""Findings about pictures that occur twice: leakage between splits, duplicates within one, contradicting masks."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from segnext.data.doctor.advice import split_command
from segnext.data.doctor.case import Case
from segnext.data.doctor.duplicates import Copy
from segnext.data.doctor.findings import Finding, found
from segnext.data.doctor.survey import Item
from segnext.words import counted, listed

APART = "remove them from one of the splits"


def judge_leakage(case: Case) -> Iterator[Finding]:
    """Everything about pictures that occur twice."""
    yield from _listed_twice(case)
    if case.sampled:
        return
    across, inside = _sorted_out(case, case.exact)
    near_across, near_inside = _sorted_out(case, case.near)
    yield from _leaks(case, across, "leakage")
    yield from _leaks(case, near_across, "near-leakage")
    yield from _scenes(case)
    yield from _within(case, inside, "duplicates")
    yield from _within(case, near_inside, "near-duplicates")
    yield from _contradictions(case, case.exact)


def _sorted_out(case: Case, copies: list[Copy]) -> tuple[list[Copy], list[Copy]]:
    """Copies across splits, and within one.

    All that are copies of one picture are one group. Each is told with the first of its split, and with the first of
    every other split.
    """
    groups: dict[int, dict[int, str]] = defaultdict(dict)
    for copy in copies:
        groups[copy.first][copy.second] = copy.how
    across: dict[tuple[int, int], Copy] = {}
    inside = []
    for original, others in groups.items():
        firsts: dict[frozenset[str], int] = {}
        for index in sorted((original, *others)):
            own = frozenset(_item(case, index).splits)
            first = firsts.setdefault(own, index)
            if first != index:
                inside.append(Copy(first, index, _how(others, first, index)))
        for index in sorted((original, *others)):
            own = frozenset(_item(case, index).splits)
            for splits, first in firsts.items():
                if own and splits and splits != own:
                    pair = min(index, first), max(index, first)
                    across[pair] = Copy(*pair, _how(others, *pair))
    return list(across.values()), inside


def _how(others: dict[int, str], first: int, second: int) -> str:
    return others.get(second) or others[first]


def _item(case: Case, index: int) -> Item:
    return case.survey.items[index]


def _line(case: Case, copy: Copy) -> str:
    how = "" if copy.how in ("exact", "near") else f" ({copy.how.removeprefix('near, ')})"
    return f"{_item(case, copy.first).image} = {_item(case, copy.second).image}{how}"


def _listed_twice(case: Case) -> Iterator[Finding]:
    """Files that lists name for several splits."""
    shared: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for item in case.survey.items:
        if len(item.splits) > 1:
            shared[item.splits].append(item.image)
    sizes = {split: len(indices) for split, indices in case.survey.splits().items()}
    for splits, files in shared.items():
        whole = [split for split in splits if sizes[split] == len(files)]
        if whole:
            rest = listed([split for split in splits if split != whole[0]])
            title = f"all {counted(len(files), 'picture')} of '{whole[0]}' are in {rest} too"
            yield found("split-inside-list", files, title=title)
        else:
            yield found(
                "listed-twice", files, title=f"{counted(len(files), 'picture')} listed in {' and '.join(splits)}"
            )


def _leaks(case: Case, copies: list[Copy], kind: str) -> Iterator[Finding]:
    """Copies in different splits, together for each pair of splits."""
    between: dict[tuple[str, str], list[Copy]] = defaultdict(list)
    order = list(case.survey.splits())
    for copy in copies:
        pairs = {(a, b) for a in _item(case, copy.first).splits for b in _item(case, copy.second).splits if a != b}
        for pair in {tuple(sorted(pair, key=order.index)) for pair in pairs}:
            between[pair[0], pair[1]].append(copy)
    for (first, second), inside in between.items():
        copied = {i for copy in inside for i in (copy.first, copy.second) if second in _item(case, i).splits}
        size = len(case.survey.splits()[second])
        whole = len(copied) == size
        yield found(
            "split-inside-split" if whole else kind,
            [_line(case, copy) for copy in inside],
            len(copied),
            some=f"all {size:,} pictures" if whole else f"{counted(len(copied), 'picture')} of {size:,}",
            first=first,
            second=second,
            nearly="nearly " if kind == "near-leakage" else "",
            how=_orientations(inside),
            fix=_apart(case, first, second),
        )


def _apart(case: Case, *splits: str) -> str:
    """What parts the copies: a new division, where these splits are ones that it makes."""
    sizes = {split: len(indices) for split, indices in case.survey.splits().items()}
    new = [split for split in ("val", "test") if split in splits]
    if not case.survey.ready or not case.survey.labels or "train" not in sizes or not {*splits} <= {"train", *new}:
        return APART
    total = sizes["train"] + sum(sizes[split] for split in new)
    shares = " ".join(f"--{split} {max(sizes[split] / total, 0.01):.2g}" for split in new)
    again = split_command(case, shares, again=True)
    return f"{APART}; or divide anew and keep together what belongs together:\n{again}"


def _scenes(case: Case) -> Iterator[Finding]:
    """Scenes and clips that are in several splits, where nothing but the names and looks of pictures tells them."""
    names = case.survey.splits()
    if case.scenes is None or not case.survey.ready or not {"train", "val"} <= names.keys():
        return
    splits: dict[str, set[str]] = defaultdict(set)
    for item, picture in zip(case.survey.items, case.survey.pictures(), strict=True):
        splits[case.scenes(picture)].update(item.splits)
    torn = sorted(scene for scene, inside in splits.items() if len(inside & {"train", "val"}) > 1)
    if torn:
        fix = _apart(case, "train", "val")
        yield found("scene-leakage", (), len(torn), scenes=listed(torn, 4), total=str(len(splits)), fix=fix)


def _within(case: Case, copies: list[Copy], kind: str) -> Iterator[Finding]:
    if copies:
        number = len({copy.second for copy in copies})
        fix = "remove the copies; keep them together when you split"
        yield found(kind, [_line(case, copy) for copy in copies], number, fix=fix)


def _contradictions(case: Case, exact: list[Copy]) -> Iterator[Finding]:
    """Equal pictures with different masks, told by their pixels; how a mask is stored does not matter."""
    differ = []
    for copy in exact:
        one, two = (case.records[index].mask for index in (copy.first, copy.second))
        if one.values and two.values and (one.mode == "P") == (two.mode == "P") and one.digest != two.digest:
            differ.append(f"{_item(case, copy.first).mask} and {_item(case, copy.second).mask}")
    if differ:
        yield found("contradicting-masks", differ)


def _orientations(copies: list[Copy]) -> str:
    turned = Counter(copy.how.removeprefix("near, ") for copy in copies if copy.how not in ("exact", "near"))
    return f" ({listed(f'{number:,} {how}' for how, number in turned.most_common(3))})" if turned else ""
