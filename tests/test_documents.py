"""YAML and JSON of any origin: what is meant is read, and nothing takes long, grows or runs."""

import os
from pathlib import Path

import pytest

from segnext.documents import parse_json, parse_yaml, read_json, read_yaml, shown
from segnext.errors import SegNextError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)


def test_words_stay_words() -> None:
    text = "names: [no, yes, on, 2024-01-01, 1:30]\nright: true\nagain: &x {a: 1}\nmerged: {<<: *x, b: *x}"
    content = parse_yaml(text, "file")
    assert content["names"][:4] == ["no", "yes", "on", "2024-01-01"]
    assert content["right"] is True
    assert content["merged"] == {"a": 1, "b": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 200,000 values"),
        ("x: " + "[" * 10_000, "50 levels"),
        ("x: &n [*n]", "anchor 'n' is not defined or holds itself"),
        ("!!python/object/apply:os.system ['touch owned']", "not valid YAML"),
        ("<<: 5", "not valid YAML"),
        ("a: 1\na: 2", "'a' is said twice"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("? [a]\n: b", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_yaml_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(SegNextError, match=message) as raised:
        parse_yaml(text, "file.yaml")
    assert str(raised.value).startswith("file.yaml: ")
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "9" * 5000, '{"a": 1} x'])
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises(SegNextError, match=r"^file\.json: cannot be read as JSON \("):
        parse_json(text, "file.json")
    with pytest.raises(SegNextError, match=r"^file\.json: the file is empty"):
        parse_json("\n", "file.json")


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text(" " * 100)
    (tmp_path / "latin").write_bytes(b"name: \xe9")
    for read in (read_yaml, read_json):
        for name, message in {"pipe": "pipe", ".": "folder", "none": "cannot be read", "latin": "UTF-8"}.items():
            with pytest.raises(SegNextError, match=message):
                read(tmp_path / name)
    with pytest.raises(SegNextError, match="100 bytes are too many"):
        read_json(tmp_path / "large", 99)


def test_values_are_shown_short() -> None:
    bomb: list[object] = ["x"] * 9
    for _ in range(20):
        bomb = [bomb] * 9
    assert len(shown(bomb)) < 200
    assert shown("x" * 1000).count("x") < 100
