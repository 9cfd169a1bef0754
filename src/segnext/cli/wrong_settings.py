"""What the parser of a run's settings says of mistakes, as sentences for people."""

import dataclasses
import difflib
import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "null"}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
FLAGS = ("config", "resume", "help")  # beside the fields
EXAMPLES = {int: ("256", "256", "3", "1"), float: ("0.5", "2.0", "1.0", "1.5")}


def sentence(error: Exception, config_class: type[Any]) -> str:
    """What `error`, raised by jsonargparse while it read settings of `config_class`, tells the user to do."""
    text = " ".join(str(error).split())
    kinds = dict(_fields(config_class))
    if found := re.search(r'Parser key "([\w.]+)"', text):
        name = found[1]
        if name in kinds:
            given = re.search(r"(?:Got value|Given value): (.*)$", text)
            return f"{name} takes {_kind(kinds[name])}{f', not {given[1]}' if given else ''}"
        return text.removeprefix(f"{found[0]}: ")
    if found := re.search(r"unrecognized arguments: (.*)$", text):
        unknown = [re.split(r"[= ]", part)[0] for part in re.findall(r"--\S+", found[1])] or [found[1]]
        return f"there is no {unknown[0]}{_close(unknown[0].lstrip('-'), [*kinds, *FLAGS])}"
    if found := re.search(r"Option '([^']+)' is not accepted", text):
        return f"there is no setting '{found[1]}'{_close(found[1], list(kinds))}"
    if found := re.search(r"arguments are required: (.*)$", text):
        return f"give {' and '.join(f'--{name}' for name in found[1].split(', '))}"
    return text


def _fields(config_class: type[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and types of all settings, those of parts included."""
    for name, kind in get_type_hints(config_class).items():
        part = next((option for option in (kind, *get_args(kind)) if dataclasses.is_dataclass(option)), None)
        yield before + name, kind
        if isinstance(part, type):
            yield from _fields(part, f"{before}{name}.")


def _kind(kind: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in parts))
    if origin is Literal:
        return " or ".join(str(part) for part in parts)
    if origin is tuple and Ellipsis in parts:
        return f"a list such as '[{','.join(EXAMPLES.get(parts[0], ('a', 'b'))[:2])}]'"
    if origin is tuple:
        example = ",".join(EXAMPLES.get(parts[0], ("a",) * 4)[: len(parts)])
        return f"{NUMBERS[len(parts)]} {'whole ' if parts[0] is int else ''}numbers, as '[{example}]'"
    if origin is dict:
        return "a mapping such as '{name: 1.0}'"
    if dataclasses.is_dataclass(kind):
        return f"settings of its own: {', '.join(field.name for field in dataclasses.fields(kind))}"
    return WORDS.get(kind, str(kind))


def _close(name: str, known: list[str]) -> str:
    """The setting that was probably meant; also where only the name of its part is missing."""
    last = {one.rpartition(".")[2]: one for one in reversed(known)}  # of equal names, the first
    near = difflib.get_close_matches(name, known, 1) or [
        last[one] for one in difflib.get_close_matches(name.rpartition(".")[2], last, 1)
    ]
    return f"; did you mean {near[0]}?" if near else ""
