"""The fields of a run's configuration as flags: their names, what each takes in words, their help."""

import argparse
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "null"}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
EXAMPLES = {int: ("256", "256", "3", "1"), float: ("0.5", "2.0", "1.0", "1.5")}
PLACES = {int: "N", float: "X", bool: "true|false"}
CHOICES = 4  # that a flag's place in the help shows; of more, the field's name
# The fields that people set first, by any kind of run that has them.
FIRST = (
    *("data", "out", "model", "from_weights", "iterations", "epochs", "batch_size", "crop", "size", "optimizer.lr"),
    "device",
)
SPELLED = {"from_weights": "from"}  # a field cannot have this name, which is a word of Python


@dataclass(frozen=True)
class Setting:
    """A field of a configuration, or of a part of it.

    Attributes:
        name: with the names of the parts that it is in, as optimizer.lr.
        kind: its type.
        help: what it means.
        default: its value where nothing is said; `dataclasses.MISSING` where something must be.
        parts: the settings of the part that it is; none for a value.
    """

    name: str
    kind: Any
    help: str
    default: Any
    parts: tuple["Setting", ...] = ()

    @property
    def flag(self) -> str:
        """As it is shown; with underscores for hyphens it is taken too."""
        return "--" + SPELLED.get(self.name, self.name).replace("_", "-")

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is dataclasses.MISSING


def settings_of(config_class: type[Any], defaults: Any = None, before: str = "") -> tuple[Setting, ...]:
    """All fields in their order; `defaults` is an object of the class that holds them, where it is not the class."""
    texts, kinds = _texts(config_class), get_type_hints(config_class)
    found = []
    for field in dataclasses.fields(config_class):
        default = _default(field) if defaults is None else getattr(defaults, field.name)
        name, kind = before + field.name, kinds[field.name]
        part = next((option for option in (kind, *get_args(kind)) if dataclasses.is_dataclass(option)), None)
        parts = settings_of(part, default, f"{name}.") if isinstance(part, type) else ()
        found.append(Setting(name, kind, texts.get(field.name, ""), default, parts))
    return tuple(found)


def every(settings: tuple[Setting, ...]) -> Iterator[Setting]:
    """Them and those of their parts."""
    for setting in settings:
        yield setting
        yield from every(setting.parts)


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _texts(config_class: type[Any]) -> dict[str, str]:
    """What the docstrings of the class, and of those it is made of, say of each field."""
    texts = {}
    for base in reversed(config_class.__mro__):
        for param in docstring_parser.parse(base.__doc__ or "").params:
            texts[param.arg_name] = " ".join((param.description or "").split())
    return texts


def in_words(kind: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(in_words(part) for part in parts))
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


def takes_several(kind: Any) -> bool:
    """Whether it is a list of values."""
    return any(get_origin(option) is tuple for option in (kind, *get_args(kind)))


def as_list(text: str, kind: Any) -> str:
    """What a flag says of a list without its brackets: `0.5,1.0`; one thing of any number; 256 for 256 x 256."""
    if text[:1] in ("", "[", "{") or text == "null":
        return text
    lengths = [get_args(option) for option in (kind, *get_args(kind)) if get_origin(option) is tuple]
    if (int, int) in lengths and "," not in text:
        return f"[{text},{text}]"
    return f"[{text}]" if "," in text or any(Ellipsis in parts for parts in lengths) else text


def help_text(command: str, description: str, settings: tuple[Setting, ...]) -> str:
    """What `--help` prints: the flags that people use first, then the others, part by part."""
    usage = "\n".join(
        f"{'usage:' if number == 0 else '      '} segnext {command} {line}"
        for number, line in enumerate(
            ("--data DIR --out RUN [--FLAG VALUE ...]", "--config RECIPE.yaml [--FLAG VALUE ...]", "--resume RUN")
        )
    )
    shown = argparse.ArgumentParser(
        usage="", add_help=False, formatter_class=lambda prog: argparse.HelpFormatter(prog, 2, 34, 120)
    )
    first = shown.add_argument_group("used first")
    for setting in every(settings):
        if setting.name in FIRST:
            _add(first, setting)
    first.add_argument("--config", metavar="FILE", help="recipe (YAML); flags override its fields")
    first.add_argument("--resume", metavar="RUN", help="go on with a run; takes no other flag but --data")
    rest = shown.add_argument_group("the run")
    for setting in settings:
        if not setting.parts and setting.name not in FIRST:
            _add(rest, setting)
    for setting in settings:
        if setting.parts:
            group = shown.add_argument_group(setting.name, setting.help)
            for part in setting.parts:
                if part.name not in FIRST:
                    _add(group, part)
    flags = shown.format_help().split("\n", 1)[1].strip("\n")
    return f"{usage}\n\n{description}\n\n{flags}\n\n--print-config prints the whole recipe that the flags make.\n"


def _add(group: "argparse._ArgumentGroup", setting: Setting) -> None:
    text = setting.help.rstrip(".")
    if not setting.required and setting.default is not None:
        text += f" (default: {_said(setting.default)})"
    group.add_argument(setting.flag, metavar=_place(setting), help=text.replace("%", "%%"))


def _said(value: Any) -> str:
    """A value as a flag takes it."""
    if isinstance(value, tuple):
        return f"[{','.join(map(_said, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place(setting: Setting) -> str:
    """What stands for the value, in few letters."""
    kinds = get_args(setting.kind) if get_origin(setting.kind) in (Union, UnionType) else (setting.kind,)
    origin, parts = get_origin(kinds[0]), get_args(kinds[0])
    if origin is Literal:
        return "|".join(map(str, parts)) if len(parts) <= CHOICES else "NAME"
    if origin is tuple:
        letter = PLACES.get(parts[0], "A")
        return f"[{letter},...]" if Ellipsis in parts else f"[{','.join([letter] * len(parts))}]"
    return PLACES.get(kinds[0], "DIR" if setting.name in ("data", "out") else "NAME")
