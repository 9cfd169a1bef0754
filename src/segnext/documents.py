"""YAML and JSON files of any origin: bounded in size and depth, and nothing in them is run."""

import json
import re
import reprlib
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from segnext.errors import SegNextError

YAML_BYTES = 4_000_000
JSON_BYTES = 4_000_000_000  # LVIS has 1.1 GB
YAML_DEPTH = 50
YAML_NODES = 200_000  # with every alias written out

_TRUTH = re.compile("^(true|True|TRUE|false|False|FALSE)$")
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxdict, _REPR.maxlist, _REPR.maxstring, _REPR.maxlong, _REPR.maxother = 1, 4, 6, 80, 40, 80


def shown(value: object) -> str:
    """A value of unknown origin for a message: short, whatever it holds."""
    return _REPR.repr(value)


def read_text(path: Path, most: int, kind: str) -> str:
    """The content of a UTF-8 file of at most `most` bytes.

    Raises:
        SegNextError: when it is none, or larger; `kind` says in the message what was expected.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SegNextError(f"{path}: a folder, pipe or device, not a {kind} file; give the file")
        if status.st_size > most:
            raise SegNextError(f"{path}: {status.st_size:,} bytes are too many for a {kind} file; give the right one")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SegNextError(f"{path}: not valid {kind}: not text in UTF-8 ({error.reason}); save it as UTF-8") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise SegNextError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def read_yaml(path: Path) -> Any:
    """The content of a YAML file: dictionaries, lists, text, numbers, true, false and null.

    As in YAML 1.2, only `true` and `false` are truth values, so that `no` is a text, and dates are texts too.

    Raises:
        SegNextError: when it cannot be read, is no YAML, refers to itself, or would become too large.
    """
    return parse_yaml(read_text(path, YAML_BYTES, "YAML"), str(path))


def parse_yaml(text: str, name: str) -> Any:
    """The same of a text; `name` stands for it in messages."""
    try:
        _require_bounded(text, name)
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, RecursionError) as error:
        problem = " ".join(str(error).replace('in "<unicode string>", ', "").split())[:300]
        raise SegNextError(f"{name}: not valid YAML ({problem}); mend the line it names") from error


def _require_bounded(text: str, name: str) -> None:
    """Refuse what nests too deeply, or grows too large when its aliases are written out, before anything is built."""
    sizes: dict[str, int] = {}  # nodes below each anchor
    above: list[tuple[str | None, int]] = []  # anchor of each open node, and the nodes that were before it
    nodes = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise SegNextError(
                    f"{name}: its anchor '{str(event.anchor)[:40]}' is not defined or holds itself; write it out"
                )
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            sizes.pop(str(event.anchor), None)
            above.append((event.anchor, nodes))
            nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = above.pop()
            if anchor:
                sizes[anchor] = nodes - before
        if nodes > YAML_NODES or len(above) > YAML_DEPTH:
            raise SegNextError(
                f"{name}: holds more than {YAML_NODES:,} values or {YAML_DEPTH} levels, perhaps by aliases of aliases; "
                "give the right file"
            )


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the first is quicker
    """PyYAML's safe loader with YAML 1.2's truth values, without dates, and without keys that are said twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """A dictionary; of equal keys the last would win in silence."""
        seen: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]:
            if key.value in seen:
                problem = f"'{key.value[:40]}' is said twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, regexp) for tag, regexp in found if tag.rpartition(":")[2] not in ("bool", "timestamp")]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _TRUTH, list("tTfF"))


def read_json(path: Path, most: int = JSON_BYTES) -> Any:
    """The content of a JSON file.

    Raises:
        SegNextError: when it cannot be read, is no JSON, or nests too deeply.
    """
    return parse_json(read_text(path, most, "JSON"), str(path))


def parse_small_json(text: str, name: str) -> Any:
    """The same of a text that is no larger and nests no deeper than YAML may, for what a program hides in a file."""
    if len(text) > YAML_BYTES:
        raise SegNextError(f"{name}: {len(text):,} letters are too many; give the right file")
    content = parse_json(text, name)
    level = [content]
    for _ in range(YAML_DEPTH):
        level = [part for whole in level for part in _parts(whole)]
    if level:
        raise SegNextError(f"{name}: holds more than {YAML_DEPTH} levels; give the right file")
    return content


def _parts(whole: Any) -> Iterable[Any]:
    if isinstance(whole, dict):
        return whole.values()
    return whole if isinstance(whole, list) else ()


def parse_json(text: str, name: str) -> Any:
    """The same of a text; `name` stands for it in messages."""
    if not text.strip():
        raise SegNextError(f"{name}: the file is empty; mend it or give the right file")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise SegNextError(f"{name}: cannot be read as JSON (it nests too deeply); give the right file") from error
    except ValueError as error:
        problem = " ".join(str(error).split())[:200]
        raise SegNextError(f"{name}: cannot be read as JSON ({problem}); mend it or give the right file") from error
