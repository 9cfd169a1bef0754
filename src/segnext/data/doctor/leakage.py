"""Findings about pictures that occur twice: leakage between splits, duplicates within one, contradicting masks."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from segnext.data.curate.split import by_prefix
from segnext.data.doctor.case import Case
from segnext.data.doctor.duplicates import Copy, exact_copies, near_copies
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.data.doctor.survey import Item
from segnext.words import counted, listed

APART = "remove them from one of the splits"


def judge_leakage(case: Case) -> Iterator[Finding]:
    """Everything about pictures that occur twice."""
    yield from _listed_twice(case)
    if case.sampled:
        return
    exact, near = exact_copies(case.records), near_copies(case.records)
    across, inside = _sorted_out(case, exact)
    near_across, near_inside = _sorted_out(case, near)
    yield from _leaks(case, across, "same")
    yield from _leaks(case, near_across, "near-same")
    yield from _within(case, inside, "duplicates", "the same")
    yield from _within(case, near_inside, "near-duplicates", "nearly the same")
    yield from _contradictions(case, exact)


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
        else:
            title = f"{counted(len(files), 'picture')} listed in {' and '.join(splits)}"
        yield Finding(
            "split-inside-split" if whole else "listed-twice",
            Severity.ERROR,
            title,
            "the score on such a split says how well pictures were memorised, not how well others are segmented",
            "take them off one of the lists",
            len(files),
            examples(files),
        )


def _leaks(case: Case, copies: list[Copy], what: str) -> Iterator[Finding]:
    """Copies in different splits, together for each pair of splits."""
    between: dict[tuple[str, str], list[Copy]] = defaultdict(list)
    order = list(case.survey.splits())
    for copy in copies:
        pairs = {(a, b) for a in _item(case, copy.first).splits for b in _item(case, copy.second).splits if a != b}
        for pair in {tuple(sorted(pair, key=order.index)) for pair in pairs}:
            between[pair[0], pair[1]].append(copy)
    for (first, second), found in between.items():
        inside = {i for copy in found for i in (copy.first, copy.second) if second in _item(case, i).splits}
        size = len(case.survey.splits()[second])
        whole = len(inside) == size
        code = "split-inside-split" if whole else ("leakage" if what == "same" else "near-leakage")
        near = what != "same"
        some = f"all {size:,} pictures" if whole else f"{counted(len(inside), 'picture')} of {size:,}"
        detail = _orientations(found)
        yield Finding(
            code,
            Severity.WARNING if near and not whole else Severity.ERROR,
            f"{some} of '{second}' also in '{first}', {'nearly ' if near else ''}pixel for pixel{detail}",
            "the score on the split is too good: part of it was learned by heart"
            + (
                "; these are copies saved again, resized, turned, or frames of a scene that does not move"
                if near
                else ""
            ),
            _apart(case, first, second),
            len(inside),
            examples([_line(case, copy) for copy in found]),
        )


def _apart(case: Case, *splits: str) -> str:
    """What parts the copies: a new division, where these splits are ones that it makes."""
    sizes = {split: len(indices) for split, indices in case.survey.splits().items()}
    new = [split for split in ("val", "test") if split in splits]
    if not case.survey.ready or not case.survey.labels or "train" not in sizes or not {*splits} <= {"train", *new}:
        return APART
    total = sizes["train"] + sum(sizes[split] for split in new)
    options = " ".join(f"--{split} {max(sizes[split] / total, 0.01):.2g}" for split in new)
    folder = shlex.quote(str(case.survey.root))
    scenes = {by_prefix(PurePosixPath(*item.image.parts[1:])) for item in case.survey.items}
    grouping = "--group-by prefix" if len(new) < len(scenes) <= len(case.survey.items) / 2 else "--group REGEX"
    return (
        f"{APART}; if they come from one scene or recording, divide anew and keep it together: "
        f"segnext data split {folder} {options} {grouping} --again"
    )


def _within(case: Case, copies: list[Copy], code: str, what: str) -> Iterator[Finding]:
    if copies:
        number = len({copy.second for copy in copies})
        yield Finding(
            code,
            Severity.WARNING if code == "duplicates" else Severity.NOTE,
            f"{counted(number, 'picture')} that {'are' if number > 1 else 'is'} {what} as another in the same split",
            "they count twice in training and in the score; a split made later may tear them apart",
            "remove the copies; keep them together when you split",
            number,
            examples([_line(case, copy) for copy in copies]),
        )


def _contradictions(case: Case, exact: list[Copy]) -> Iterator[Finding]:
    """Equal pictures with different masks, told by their values' counts."""
    differ = []
    for copy in exact:
        one, two = (case.records[index].mask for index in (copy.first, copy.second))
        same_way = (one.mode == "P") == (two.mode == "P")
        if one.values and two.values and same_way and one.mode != "P" and one.values.counts != two.values.counts:
            differ.append(f"{_item(case, copy.first).mask} and {_item(case, copy.second).mask}")
    if differ:
        yield Finding(
            "contradicting-masks",
            Severity.WARNING,
            f"{counted(len(differ), 'pair')} of equal pictures with different masks",
            "one of the masks is wrong or older",
            "look at both and keep the right one",
            len(differ),
            examples(differ),
        )


def _orientations(copies: list[Copy]) -> str:
    turned = Counter(copy.how.removeprefix("near, ") for copy in copies if copy.how not in ("exact", "near"))
    return f" ({listed(f'{number:,} {how}' for how, number in turned.most_common(3))})" if turned else ""
