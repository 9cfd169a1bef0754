"""What the commands have in common whose flags are the fields of a run's configuration."""

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn, TypeVar, get_args

import jsonargparse

from segnext.choices import either, nearest, options
from segnext.cli.habits import RUNS
from segnext.cli.settings import SPELLED, Setting, as_list, every, help_text, in_words, settings_of, takes_several
from segnext.documents import parse_yaml, read_yaml
from segnext.errors import SegNextError
from segnext.files import beside
from segnext.plain import to_yaml
from segnext.progress import say
from segnext.training.config import Settings
from segnext.words import quoted

Config = TypeVar("Config", bound=Settings)
Texts = dict[str, str]  # of settings, by dotted name

FIELDS = {spelled: name for name, spelled in SPELLED.items()}
LONGEST = 80  # letters of a wrong value that are shown
DEVICES = "; of several CUDA devices one is chosen by CUDA_VISIBLE_DEVICES=1, and all are taken by torchrun"


def parse_run(config_class: type[Config], command: str, description: str, arguments: list[str]) -> tuple[Config, bool]:
    """The run that the command line describes, and whether it is to be resumed.

    Raises:
        SegNextError: for wrong usage, or when the folder to resume holds no run.
        SystemExit: after what was printed for `--help` or `--print-config`.
    """
    reader = _Reader(config_class, command)
    if {"-h", "--help"} & set(arguments):
        print(help_text(command, description, reader.settings), end="")
        raise SystemExit
    printing = [argument for argument in arguments if argument.replace("_", "-") == "--print-config"]
    flags = reader.flags(argument for argument in arguments if argument not in printing)
    resume, config = flags.pop("resume", None), flags.pop("config", None)
    if resume is not None:
        found = reader.config(_resumed(command, resume, config, flags, reader)), True
    else:
        texts = ({} if config is None else reader.recipe(Path(config))) | flags  # flags override it, wherever it is
        found = reader.config(texts), False
        restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0  # torchrun, after a worker was lost
        if restarted and (Path(found[0].out) / "config.yaml").is_file():
            found = reader.config(_resumed(command, found[0].out, None, {}, reader)), True
    if printing:
        print(to_yaml(dataclasses.asdict(found[0])), end="")
        raise SystemExit
    return found


def _resumed(command: str, run: str, config: str | None, flags: Texts, reader: "_Reader") -> Texts:
    """The settings of the run in a folder; its data may have been moved since."""
    others = [f"--config {quoted(config)}"] if config is not None else []
    others += [f"--{name} {text}" for name, text in flags.items() if name not in ("data", "more_data")]
    if others:
        message = f"--resume takes the run's own settings and no other flags but --data; leave out {' '.join(others)}"
        if command == "train":
            message += f", or begin a new run with this one's weights: --from {quoted(run)} --out ANOTHER"
        raise SegNextError(message)
    file = Path(run) / "config.yaml"
    if not file.is_file():
        raise SegNextError(f"{run}: holds no run to resume (there is no config.yaml); start one with --out")
    return reader.recipe(file) | {"out": run} | flags


class _Reader:
    """From flags and recipes to a configuration: names and lists are read here, single values by jsonargparse."""

    def __init__(self, config_class: type[Any], command: str) -> None:
        self.config_class, self.command = config_class, command
        self.settings = settings_of(config_class)
        self.by_name = {setting.name: setting for setting in every(self.settings)}

    def flags(self, arguments: Iterable[str]) -> Texts:
        """The values of the flags, `config` and `resume` among them; of one that is repeated, the last."""
        given: list[tuple[str, list[str]]] = []
        for argument in arguments:
            flag, equals, value = argument.partition("=")
            if flag.startswith("--"):
                name = flag[2:].replace("-", "_")
                given.append((FIELDS.get(name, name), [value] if equals else []))
            elif given:
                given[-1][1].append(argument)
            else:
                self.refuse(f"'{argument}' belongs to no flag{self.without_dashes(argument)}")
        for word in (word for _, values in given for word in values[1:]):
            if said := self.without_dashes(word):
                self.refuse(f"'{word}' is one value too many{said}")
        texts: Texts = {}
        if "more_data" in self.by_name:  # of several data sets the first, and the others
            folders = [value for name, values in given if name == "data" for value in values]
            if len(folders) > 1:
                given = [one for one in given if one[0] != "data"]
                texts = {"data": folders[0], "more_data": json.dumps(folders[1:])}
        for name, values in given:
            if name in ("config", "resume"):
                if len(values) != 1:
                    self.refuse(f"give --{name} one {'file' if name == 'config' else 'folder'}")
                texts[name] = values[0]
            elif name not in self.by_name:
                self.refuse(f"there is no --{name.replace('_', '-')}{self.close(name, '--')}")
            else:
                texts |= self.flag(self.by_name[name], values)
        return texts

    def flag(self, setting: Setting, values: list[str]) -> Texts:
        """A setting, or all that are said of a part."""
        text = values[0] if len(values) == 1 else f"[{','.join(values)}]" if takes_several(setting.kind) else ""
        if not values and setting.kind is bool:
            text = "true"
        elif not values:
            self.refuse(f"give {setting.flag} a value: {in_words(setting.kind)}")
        if len(values) > 1 and not text:
            self.wrong(setting, " ".join(values))
        if setting.parts:
            named = self.by_name.get(f"{setting.name}.{text}")
            if named is not None:
                self.refuse(f"{setting.flag} has settings of its own; {text} is one of them: {named.flag} VALUE")
            return dict(self.leaves(parse_yaml(text, setting.flag), setting, text))
        return {setting.name: as_list(text, setting.kind) if takes_several(setting.kind) else text}

    def recipe(self, file: Path) -> Texts:
        """The settings in a recipe."""
        if not file.is_file():
            raise SegNextError(f"{file}: no such file{beside(file)}; give --config a recipe")
        content = read_yaml(file)
        if not isinstance(content, dict):
            raise SegNextError(f"{file}: a recipe is a list of settings, as 'iterations: 5000'; give one")
        return dict(self.leaves(content))

    def leaves(self, content: Any, part: Setting | None = None, text: str = "") -> Iterator[tuple[str, str]]:
        """Name and text of all values in the settings of a part, or of the whole."""
        if not isinstance(content, dict):
            assert part is not None
            self.wrong(part, text or _text(content))
        for key, value in content.items():
            name = f"{part.name}.{key}" if part else str(key)
            setting = self.by_name.get(name)
            if setting is None:
                self.refuse(f"there is no setting '{name[:LONGEST]}'{self.close(name)}")
            if setting.parts and value is not None:
                yield from self.leaves(value, setting)
            else:
                yield name, self.leaf(setting, value)

    def leaf(self, setting: Setting, value: Any) -> str:
        """A value of a recipe as a flag has it."""
        text = _text(value)
        kinds = (setting.kind, *get_args(setting.kind))
        nested = isinstance(value, list | dict) and not (takes_several(setting.kind) or setting.parts)
        if nested or (value is None and NoneType not in kinds) or "\0" in text:
            self.wrong(setting, text)
        return text

    def config(self, texts: Texts) -> Any:
        """The configuration."""
        missing = [setting.flag for setting in self.settings if setting.required and setting.name not in texts]
        if missing:
            self.refuse(f"give {' and '.join(missing)}")
        parser = jsonargparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
        parser.add_class_arguments(self.config_class)
        try:
            values = parser.instantiate(parser.parse_args([f"--{name}={text}" for name, text in texts.items()]))
        except (argparse.ArgumentError, OverflowError, RecursionError) as error:
            for name, text in texts.items():
                if not _fits(text, self.by_name[name].kind):
                    self.wrong(self.by_name[name], text)
            raise SegNextError(f"{error}; see 'segnext {self.command} --help'") from error
        return self.config_class(**{field.name: values[field.name] for field in dataclasses.fields(self.config_class)})

    def close(self, name: str, dashes: str = "") -> str:
        """The setting that was probably meant; also where only the name of its part is missing."""
        habit = name.removeprefix("augment.")
        if habit in RUNS:
            return f"; here it is {RUNS[habit]}"
        known = [*self.by_name, "config", "resume", "help"]
        last = {one.rpartition(".")[2]: one for one in reversed(known)}  # of equal names, the first
        near = nearest(name, known) or [last[one] for one in nearest(name.rpartition(".")[2], last)]
        return f"; did you mean {dashes}{near[0].replace('_', '-') if dashes else near[0]}?" if near else ""

    def without_dashes(self, argument: str) -> str:
        """Which flag was probably meant by a word that stands where one should, as in `epochs=3`."""
        name, equals, _ = argument.lstrip("-").replace("-", "_").partition("=")
        if name in RUNS or FIELDS.get(name, name) in self.by_name or (equals and nearest(name, self.by_name)):
            return f"; flags begin with dashes{self.close(name, '--')}"
        return ""

    def wrong(self, setting: Setting, text: str) -> NoReturn:
        """Refuse a value."""
        given = "" if setting.parts else f", not {text if len(text) <= LONGEST else text[:LONGEST] + '...'}"
        near = nearest(text, map(str, options(setting.kind)))
        said = f"; did you mean {either(near)}?" if near else ""
        if setting.name == "device":
            said = said or DEVICES
        self.refuse(f"{setting.name} takes {in_words(setting.kind)}{given}{said}")

    def refuse(self, sentence: str) -> NoReturn:
        """Say what is wrong, and where to read more."""
        raise SegNextError(f"{sentence}; see 'segnext {self.command} --help'")


def _text(value: Any) -> str:
    """A value of a recipe as a flag has it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _fits(text: str, kind: Any) -> bool:
    """Whether a text is a value of a type."""
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=kind)
    try:
        parser.parse_args([f"--value={text}"])
    except (argparse.ArgumentError, OverflowError, RecursionError):
        return False
    return True


def exit_code_of(command: str, run: Callable[[], Path], summarise: Callable[[Path], None]) -> int:
    """Run, and say in one process what has come of it; the exit code."""
    from segnext.training.stop import Stopped

    main = os.environ.get("RANK", "0") == "0"
    try:
        out = run()
    except Stopped as stop:
        if main:
            say(f"segnext {command}: {stop}")
        return 128 + stop.signal
    if main:
        summarise(out)
    return 0
