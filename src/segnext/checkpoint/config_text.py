"""What the configuration that OpenMMLab's tools keep beside the tensors says of the network: Python text, which is
parsed and never run.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 1_000_000  # characters


@dataclass(frozen=True)
class Said:
    """What a configuration says; None where it does not.

    Attributes:
        rank: of the matrix decomposition.
        align_corners: how the decoder's logits are enlarged.
        mean: of the pictures, per band, in units of an 8-bit picture.
        std: of the pictures.
    """

    rank: int | None = None
    align_corners: bool | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def said_by(meta: Mapping[str, Any]) -> Said:
    """What a checkpoint's "meta" says: mmengine's `cfg`, or `config` of the versions before it."""
    text = meta.get("cfg") or meta.get("config")
    if isinstance(text, Mapping):  # plain data, which its representation is the text of
        text = repr(dict(text))
    if not isinstance(text, str) or len(text) > LONGEST:
        return Said()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Said()
    heads = list(_values(tree, "decode_head"))
    places = heads or [tree]
    pictures = [*_values(tree, "data_preprocessor"), *_values(tree, "img_norm_cfg"), *_values(tree, "preprocess_cfg")]
    return Said(
        rank=_only(places, "MD_R", int),
        align_corners=_only(places, "align_corners", bool),
        mean=_numbers(pictures, "mean"),
        std=_numbers(pictures, "std"),
    )


def _values(tree: ast.AST, name: str) -> Iterator[ast.AST]:
    """What stands under `name`: in dict(name=...), in {"name": ...} and in name = ..."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == name:
            yield node.value
        elif isinstance(node, ast.Assign):
            yield from (node.value for target in node.targets if isinstance(target, ast.Name) and target.id == name)
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from (value for key, value in pairs if isinstance(key, ast.Constant) and key.value == name)


def _only(places: list[ast.AST], name: str, kind: type) -> Any:
    """The one plain value under `name`; None where there is none, or several that differ."""
    found = {node.value for place in places for node in _values(place, name) if isinstance(node, ast.Constant)}
    return found.pop() if len(found) == 1 and all(type(value) is kind for value in found) else None


def _numbers(places: list[ast.AST], name: str) -> tuple[float, ...] | None:
    found = set()
    for node in (value for place in places for value in _values(place, name)):
        parts = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        if parts and all(isinstance(part, ast.Constant) and type(part.value) in (int, float) for part in parts):
            found.add(tuple(float(part.value) for part in parts))  # type: ignore[attr-defined]
    return found.pop() if len(found) == 1 else None
