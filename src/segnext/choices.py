"""Names that users choose from: which was probably meant by a wrong one, and the sentences that say so."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any, Literal, get_args, get_origin, get_type_hints

from segnext.errors import SegNextError

ALIKE = 0.6  # from 0, nothing in common, to 1
MOST = 16  # names that a sentence lists


def nearest(name: str, known: Iterable[str], alike: float = ALIKE) -> list[str]:
    """Those of `known` that are most like `name`, whatever its case, hyphens and underscores; none that is unlike."""
    wanted = _plain(name)
    scores = {one: _likeness(wanted, _plain(one)) for one in known}
    best = max(scores.values(), default=0.0)
    return [one for one, score in scores.items() if score == best >= alike]


def _likeness(wanted: str, one: str) -> float:
    begun = 0.9 if len(wanted) >= 2 and one.startswith(wanted) else 0.0
    return max(begun, SequenceMatcher(None, one, wanted).ratio())


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")


def meant(name: str, known: Iterable[str], form: str = "{}") -> str:
    """Either "did you mean X?", or what there is to choose from; `form` is how a name is written."""
    known = [*dict.fromkeys(known)]
    near = [form.format(one) for one in nearest(name, known)][:4]
    if near:
        return f"did you mean {either(near)}?"
    more = f", ... ({len(known)} in all)" if len(known) > MOST else ""
    return f"choose from {', '.join(known[:MOST])}{more}"


def either(names: list[str]) -> str:
    """Names as alternatives: "a, b or c"."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def options(kind: Any) -> tuple[Any, ...]:
    """The values that a type lists by `Literal`, also as one of several types, or as what a tuple holds."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(option for part in get_args(kind) for option in options(part))


def require_choice(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse a value that is none of the known ones.

    Raises:
        SegNextError: "NAME is VALUE; did you mean X?".
    """
    known = tuple(known)
    if value not in known:
        raise SegNextError(f"{name} is {value!r}; {meant(str(value), known)}")


def require_choices(settings: object, before: str = "") -> None:
    """Refuse a dataclass whose fields hold what their types do not list, as those of a caller without a type checker.

    Args:
        settings: the dataclass.
        before: what the names of its fields begin with, in the sentence.

    Raises:
        SegNextError: see `require_choice`.
    """
    for name, kind in get_type_hints(type(settings)).items():
        known = options(kind)
        value = getattr(settings, name)
        if known and value is not None:
            for one in value if isinstance(value, tuple | list) else (value,):
                require_choice(before + name, one, known)
