"""One run on several data sets with classes of their own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import yaml
from conftest import TINY
from safetensors.torch import load_file

import segnext
from segnext.cli import main
from segnext.cli.train import parse
from segnext.errors import SegNextError
from segnext.model.config import PRESETS
from segnext.training.step import Batch, Step, Taken

Train = Callable[..., int]
VEHICLES = ("car", "bicyclist")

TIMES = {"seconds_per_image", "waiting"}  # of a log, which no two runs share


@pytest.fixture
def second(street: Path, tmp_path: Path) -> Path:
    """The same pictures, where cars and bicyclists are vehicles, sky and building unknown, and all else other."""
    data = shutil.copytree(street, tmp_path / "second")
    names = [entry["name"] for entry in yaml.safe_load((data / "dataset.yaml").read_text())["classes"]]
    table = np.full(256, 1, np.uint8)
    for label, name in enumerate(names):
        table[label] = 0 if name in VEHICLES else 2 if name in ("sky", "building") else 1
    for file in (data / "masks").rglob("*.png"):
        PIL.Image.fromarray(table[np.array(PIL.Image.open(file))]).save(file)
    (data / "dataset.yaml").write_text("name: second\nclasses: [vehicle, other, unknown]\n")
    others = [name for name in names if name not in (*VEHICLES, "sky", "building")]
    label_map = {"classes": names, "data": {"second": {"vehicle": list(VEHICLES), "other": others, "unknown": None}}}
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(label_map))
    return data


def records(run: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in record.items() if name not in TIMES} for record in found]


def test_a_run_on_two_data_sets_measures_each_by_its_own_classes_and_goes_on_with_the_same_bits(
    tiny_train: Train, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {
        "more_data": f"[{second}]",
        "label_map": tmp_path / "map.yaml",
        "data_weights": "[1,3]",
        "class_balance": 0.5,
        "auxiliary__stages": "2,3",
    }
    assert tiny_train(out=tmp_path / "whole", **more) == 0
    assert "map: 6 train and 4 val pictures, 11 classes; tiny on cpu" in capsys.readouterr().err
    val = records(tmp_path / "whole")[-1]
    assert set(val["miou_of"]) == {"scenes", "second"}
    assert val["miou"] == pytest.approx(np.mean(list(val["miou_of"].values())))
    assert {name for name in val["iou"] if name.startswith("second")} == {"second: vehicle", "second: other"}
    assert len(val["iou"]) == 11 + 2

    command = ["eval", "--data", second, "--weights", tmp_path / "whole", "--label-map", tmp_path / "map.yaml"]
    assert main([str(word) for word in (*command, "--engine", "torch", "--json", tmp_path / "eval.json")]) == 0
    measured = json.loads((tmp_path / "eval.json").read_text())
    assert measured["miou"] == pytest.approx(val["miou_of"]["second"], abs=1e-6)  # the same map, the same measure
    assert measured["iou"]["vehicle"] == pytest.approx(val["iou"]["second: vehicle"], abs=1e-6)
    assert "that none of second's stands for: sky, building; wherever they are" in capsys.readouterr().out

    take = Step.__call__

    def broken(self: Step, parts: list[Batch], number: int) -> Taken:
        codes = torch.unique(torch.cat([masks for _, masks in parts])).tolist()
        assert set(codes) & {11, 12}  # of sets
        if number == 3:
            raise KeyboardInterrupt
        return take(self, parts, number)

    monkeypatch.setattr(Step, "__call__", broken)
    assert tiny_train(out=tmp_path / "run", **more) == 130
    monkeypatch.setattr(Step, "__call__", take)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--resume", "run"]) == 0
    assert records(tmp_path / "run") == records(tmp_path / "whole")
    found, expected = (load_file(tmp_path / name / "best.safetensors") for name in ("run", "whole"))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    provenance = segnext.load(tmp_path / "run", engine="torch").provenance.to_dict()
    assert provenance["recipe"]["label_map"] == "map.yaml"
    assert str(tmp_path) not in json.dumps(provenance)


def test_the_pictures_of_the_whole_show_its_labels(
    street: Path, second: Path, tmp_path: Path, tiny_train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context():
        out = tmp_path / "run"
        assert tiny_train(out=out, more_data=f"[{second}]", label_map=tmp_path / "map.yaml", iterations=1) == 0
    monkeypatch.undo()
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    assert main(["train", "--resume", str(out)]) == 0
    assert "map" in (out / "report.html").read_text()
    assert (out / "examples.png").exists()


def test_flags(tmp_path: Path) -> None:
    config, _ = parse(["--data", "a", "--out", "run", "--data=b", "--data", "c", "--label-map", "map.yaml"])
    assert (config.data, config.more_data, config.label_map) == ("a", ("b", "c"), "map.yaml")
    for flags, message in (
        (["--data", "a", "--data", "b"], "several data sets need a label_map"),
        (["--data", "a", "--label-map", "m.yaml"], "several data sets need a label_map"),
        (["--data", "a", "--data-weights", "[1,2]"], "it takes a number above 0 for each data set, here 1"),
        (["--data", "a", "b", "--label-map", "m", "--data-weights", "1,0"], "number above 0 for each data set, here 2"),
    ):
        with pytest.raises(SegNextError, match=message):
            parse([*flags, "--out", "run"])
