"""Commands and flags in the README and the docs are those that there are, and links lead somewhere."""

import argparse
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from segnext.cli import COMMANDS, RUNS
from segnext.cli.parser import Parser
from segnext.cli.settings import every, settings_of

ROOT = Path(__file__).parents[1]
TOP = ("README.md", "SECURITY.md", "CONTRIBUTING.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]
ANYWHERE = {"--help", "--debug", "--version", "--json"}
ELSEWHERE = {
    "--keep",
    "--kinds",
    "--picture",
    "--max-restarts",
    "--nnodes",
    "--nproc-per-node",
    "--user",
}  # flags of torchrun and docker


@cache
def flags_of(command: str) -> frozenset[str]:
    """The flags that a command takes, with hyphens; of `data ACTION` too."""
    name, _, action = command.partition(" ")
    module = importlib.import_module(f"segnext.cli.{name}")
    found: set[str] = set(ANYWHERE)
    if name in RUNS:
        from segnext.pretraining.config import PretrainConfig
        from segnext.training.config import TrainConfig

        config = PretrainConfig if name == "pretrain" else TrainConfig
        for setting in every(settings_of(config)):
            found |= {f"--{setting.name.replace('_', '-')}", setting.flag}
        found |= {"--config", "--resume", "--print-config"}
        parser = module._parser() if hasattr(module, "_parser") else None
    else:
        parser = Parser(prog=name)
        module.add_arguments(parser)
    for one in [parser] if parser else []:
        for each in parsers(one, action):
            found |= set(each._option_string_actions)
    return frozenset(flag.replace("_", "-") for flag in found)


def parsers(parser: argparse.ArgumentParser, action: str) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for option in parser._actions:
        if isinstance(option, argparse._SubParsersAction):
            yield from (sub for name, sub in option.choices.items() if action in ("", name))


def snippets(text: str) -> Iterator[str]:
    """Code within lines, and lines without any; those that end in a backslash go on."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        yield from re.findall(r"`([^`]+)`", line) or [line]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each `segnext COMMAND`, with the flags behind it."""
    for snippet in snippets(text):
        for found in re.finditer(r"\bsegnext ((?:data )?[a-z]+)([^#|;]*)", snippet):
            yield found[1], re.findall(r"(?<![\w-])(--[a-z][\w.-]*)", found[2])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_flags_are_there(page: Path) -> None:
    for command, flags in commands(page.read_text(encoding="utf-8")):
        name = command.split()[0]
        if name not in COMMANDS:
            continue  # prose
        for flag in flags:
            assert flag.rstrip(".").replace("_", "-") in flags_of(command), f"segnext {command} {flag}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_alone_are_of_some_command(page: Path) -> None:
    known = set().union(*(flags_of(name) for name in COMMANDS))
    for span in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        flag = re.split(r"[ =]", span)[0].rstrip(".,").replace("_", "-")
        if span.startswith("--") and flag not in ELSEWHERE:
            assert flag in known or any(one.startswith(f"{flag}.") for one in known), span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_scripts_that_are_named_are_there() -> None:
    for page in PAGES:
        for script in re.findall(r"python ((?:benchmarks|recipes|tests)/[\w/]+\.py)", page.read_text(encoding="utf-8")):
            assert (ROOT / script).is_file(), f"{page.name}: {script}"
