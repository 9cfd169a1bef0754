"""argparse, whose errors are one line like all others, and say what was probably meant."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from segnext.choices import meant, nearest
from segnext.cli.habits import COMMANDS, WITHOUT
from segnext.errors import SegNextError


def hyphened(argument: str) -> str:
    """A flag as it is shown: --short_side is --short-side."""
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value if flag.startswith("--") else argument


class Parser(argparse.ArgumentParser):
    """A parser of a command's options."""

    def parse_args(self, args: list[str]) -> argparse.Namespace:  # type: ignore[override]
        """The arguments; unknown ones are refused."""
        for word in args:  # before what is missing is missed
            if word[:2] == "--" != word and word.partition("=")[0] not in self._flags():
                self._refuse(word.partition("=")[0])
        known, others = self.parse_known_args(args)
        if others:
            self._refuse(others[0].partition("=")[0])
        for action in self._actions:
            if action.nargs == "+" and not action.option_strings:
                self._look_at(getattr(known, action.dest))
        return known

    def _refuse(self, word: str) -> NoReturn:
        """Say which flag was probably meant."""
        what = f"there is no {word}" if word.startswith("-") else f"'{word}' is one argument too many"
        name, flags = word.lstrip("-"), [flag.lstrip("-") for flag in self._flags()]
        habit = name.replace("-", "_") if word.startswith("-") else ""
        if COMMANDS.get(habit, "")[2:] in flags:
            self.error(f"{what}; here it is {COMMANDS[habit]}")
        if habit in WITHOUT:
            self.error(f"{what}; {WITHOUT[habit]}")
        near = nearest(name, flags)
        self.error(f"{what}; did you mean --{near[0]}?" if near else what)

    def _look_at(self, paths: list[str]) -> None:
        """Among paths, find a flag without its dashes that nothing is named after, and what follows it."""
        for word in paths:
            flag = f"--{word.partition('=')[0]}"
            if flag in self._flags() and not Path(word).exists():
                self.error(f"'{word}' is no file; did you mean {flag}?")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is none of an option's choices."""
        if action.choices is not None and value not in action.choices:
            name = "/".join(action.option_strings) or action.metavar or action.dest
            raise SegNextError(f"{name} is '{value}'; {meant(str(value), map(str, action.choices))}")

    def _flags(self) -> Iterator[str]:
        for action in self._actions:
            yield from action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    yield from parser._flags()

    def error(self, message: str) -> NoReturn:
        raise SegNextError(f"{message}; see '{self.prog} --help'")
