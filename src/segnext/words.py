"""Numbers, lists and names in sentences for people."""

import math
import shlex
import unicodedata
from collections.abc import Iterable

NOT_SHOWN = ("Cc", "Cs", "Zl", "Zp")  # Unicode's control characters, bytes that are not text, other ends of a line
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # these let a name read backwards


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """The number with its noun: "1 mask", "1,204 masks"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(values: Iterable[object], most: int = 8) -> str:
    """The first few values, separated by commas, and how many there are where some are left out."""
    texts = [str(value) for value in values]
    return ", ".join(texts[:most]) + (f", ... ({len(texts)} in all)" if len(texts) > most else "")


def unpredicted(names: Iterable[str]) -> str:
    """What a score goes on with where classes that are in the truth were nowhere predicted; "" where there are none."""
    names = [*names]
    return f"; never predicted: {listed(names)}" if names else ""


def quoted(path: object) -> str:
    """A path as a shell takes it, for commands that are printed to be run."""
    return shlex.quote(str(path))


def percent(ratio: float, digits: int = 1, sign: str = " %") -> str:
    """A ratio of 0..1 as "25.6 %"; what is there never reads as nothing, and what is not defined (NaN) is a dash."""
    if math.isnan(ratio):
        return f"-{sign}"
    smallest = 10.0**-digits
    return f"<{smallest:.{digits}f}{sign}" if 0 < 100 * ratio < smallest / 2 else f"{100 * ratio:.{digits}f}{sign}"


def share(part: float, whole: float) -> str:
    """A percentage with as many digits as it needs: "34 %", "2.5 %", "0.003 %"."""
    ratio = part / max(whole, 1)
    if ratio == 0 or ratio >= 0.1:
        return percent(ratio, 0)
    return percent(ratio) if ratio >= 0.001 else f"{max(100 * ratio, 0.0001):.2g} %"


def printable(text: object) -> str:
    """`text` in one line that does nothing to a terminal: control characters and broken bytes become escapes.

    File names may hold any byte but 0 and `/`: ends of lines, escape sequences, what is not UTF-8.
    """
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in NOT_SHOWN or letter in TURNING
        else letter
        for letter in str(text)
    )
