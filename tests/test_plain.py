import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from segnext.plain import to_json, to_yaml, with_tuples, write_json


def test_yaml_has_lists_for_tuples_and_no_anchors() -> None:
    crop = (256, 256)
    text = to_yaml({"crop": crop, "size": crop, "name": "straße", "none": None})
    assert text.splitlines()[0] == "crop:"
    assert "&" not in text
    assert "straße" in text
    assert yaml.safe_load(text) == {"crop": [256, 256], "size": [256, 256], "name": "straße", "none": None}
    assert with_tuples({"crop": [256, 256], "lr": 0.1}) == {"crop": (256, 256), "lr": 0.1}


def test_json_of_names_that_are_no_text(tmp_path: Path) -> None:
    write_json({"file": "na\udce9ve.png"}, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"file": "na\udce9ve.png"}


@pytest.mark.parametrize("number", range(3))
def test_an_iterator_is_written_as_a_list_is_item_by_item(number: int, tmp_path: Path) -> None:
    items = [{"a": [1, {"b": "line\nend"}], "c": None}, "text", 3][:number]
    taken: list[int] = []

    def counted() -> Iterator[Any]:
        for item in items:
            taken.append(len(taken))
            yield item

    pieces = to_json(counted())
    if number == 2:
        next(pieces)
        assert len(taken) == 1  # the others are not in memory
        pieces = to_json(iter(items))
    assert "".join(pieces) == "".join(to_json(items))
    write_json(iter(items), tmp_path / "f.json")
    assert json.loads((tmp_path / "f.json").read_text()) == items
