import json
from pathlib import Path

import yaml

from segnext.plain import to_yaml, with_tuples, write_json


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
