"""Cross-validation: a run measures on one of several parts of the labelled pictures and trains on the others."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from segnext.documents import read_yaml
from segnext.errors import SegNextError
from segnext.training.log import read_log, series
from segnext.words import listed

T = TypeVar("T")


def fold_of(text: str) -> tuple[int, int]:
    """Number of the part that is measured on, from 1, and of all parts, of "1/5".

    Raises:
        SegNextError: when it is no such thing.
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) and int(count) >= 2):
        raise SegNextError(f"fold is {text}; it must be K/N, the K-th of N parts, as 1/5, or all/N")
    return int(number), int(count)


def folds_in_all(text: str | None) -> int | None:
    """N of "all/N", which is a cross-validation with each of N parts in turn; None for anything else.

    Raises:
        SegNextError: when N is no number of parts.
    """
    first, _, count = (text or "").partition("/")
    return fold_of(f"1/{count}")[1] if first == "all" else None


def divide(pool: Sequence[T], fold: str) -> tuple[list[T], list[T]]:
    """What is trained on and what is measured on; the parts are runs of neighbours, so that near-copies stay together.

    Raises:
        SegNextError: when there is less than one for each part.
    """
    number, count = fold_of(fold)
    if len(pool) < count:
        raise SegNextError(f"fold is {fold}, but there are {len(pool)} labelled pictures; choose fewer parts")
    first, end = (len(pool) * place // count for place in (number - 1, number))
    return [*pool[:first], *pool[end:]], list(pool[first:end])


def scores(out: Path) -> dict[int, float]:
    """The best mIoU, 0..1, of each fold that was trained with the settings of the run `out`, in folders beside it."""
    settings = _settings(out)
    count = fold_of(settings["fold"])[1]
    found = {}
    for folder in sorted(out.resolve().parent.iterdir()):
        try:
            other = _settings(folder)
            number, parts = fold_of(str(other["fold"]))
            values = series(read_log(folder / "log.jsonl")[1], "miou")[1]
        except (SegNextError, LookupError, TypeError):
            continue  # no run, or none of folds
        same = {**other, "out": "", "fold": ""} == {**settings, "out": "", "fold": ""}
        if same and parts == count and values:
            found[number] = max(values)
    return dict(sorted(found.items()))


def summary(out: Path) -> str | None:
    """The folds that there are, their mean and spread, in a line; None for a run that is no fold."""
    settings = _settings(out)
    if settings.get("fold") is None:
        return None
    found = [(number, 100 * score) for number, score in scores(out).items()]
    count, values = fold_of(settings["fold"])[1], [score for _, score in found]
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    each = listed([f"{number}: {score:.2f}" for number, score in found], count)
    return f"{len(found)} of {count} folds: mIoU {statistics.fmean(values):.2f} %{spread} ({each})" if found else None


def _settings(folder: Path) -> dict[str, Any]:
    content = read_yaml(folder / "config.yaml")
    return dict(content)
