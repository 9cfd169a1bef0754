"""Settings and results as plain data: YAML for people, JSON for programs."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from segnext.files import replacing


def to_yaml(content: Any, **layout: Any) -> str:
    """`content` in the order it has, tuples as lists; `layout` is for `yaml.dump`."""
    import yaml  # only now: commands that write none start sooner

    return str(yaml.dump(content, Dumper=_dumper(), sort_keys=False, allow_unicode=True, **layout))


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True  # what occurs twice is written twice, as people would

    Dumper.add_representer(tuple, yaml.SafeDumper.represent_list)
    return Dumper


def write_json(content: Any, path: Path) -> None:
    """Write `content` for programs; OSError when it cannot be written. See `to_json` for iterators."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(to_json(content, ensure_ascii=False))


def to_json(content: Any, *, ensure_ascii: bool = True) -> Iterator[str]:
    """The text, in pieces; an iterator is written as a list, one item in memory at a time, as there may be millions."""
    if not isinstance(content, Iterator):
        yield json.dumps(content, ensure_ascii=ensure_ascii, indent=1) + "\n"
        return
    before = "[\n "
    for item in content:
        yield before + json.dumps(item, ensure_ascii=ensure_ascii, indent=1).replace("\n", "\n ")
        before = ",\n "
    yield "\n]\n" if before.startswith(",") else "[]\n"


def with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """JSON and YAML have lists where our dataclasses have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
