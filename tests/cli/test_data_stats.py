import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import write_scenes

from segnext.cli import main


def test_the_table_for_people_and_the_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "set"
    write_scenes(root, {"train": 2, "val": 1}, height=32, width=48)
    words = ["--json", str(tmp_path / "s.json"), "--picture", str(tmp_path / "s.png")]
    assert main(["data", "stats", str(root), *words]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.startswith("train: 2 pictures, all 48 x 32; mean ")
    assert "ignored: 0.00 % of 4,608 pixels" in output.out
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["pictures"] == 3
    assert content["pixels"] == 3 * 32 * 48
    assert sum(entry["share"] for entry in content["classes"]) == pytest.approx(1)
    assert content["splits"]["val"]["sizes"] == [{"height": 32, "width": 48, "pictures": 1}]
    assert (tmp_path / "s.png").stat().st_size > 10_000
    assert main(["data", "stats", str(root), "--split", "val"]) == 0
    assert "train:" not in capsys.readouterr().out


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scenes(tmp_path, {"train": 2}, height=32, width=48)
    Image.new("L", (5, 5)).save(tmp_path / "masks/train/0001.png")
    assert main(["data", "stats", str(tmp_path)]) == 1
    assert "0001.png: the mask has another size" in capsys.readouterr().err
    Image.new("L", (5, 5)).save(tmp_path / "masks/train/0000.png")
    assert main(["data", "stats", str(tmp_path)]) == 2
    assert main(["data", "stats", str(tmp_path), "--picture", str(tmp_path / "s.jpg")]) == 2
    assert "ends in .png" in capsys.readouterr().err
    assert main(["data", "stats", str(tmp_path / "nowhere")]) == 2


def test_pixels_that_were_not_measured_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("images/train", "masks/train"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dataset.yaml").write_text(
        "name: bands\nclasses:\n  - {name: a, color: [0, 0, 0]}\n  - {name: b, color: [9, 9, 9]}\n"
        "ignore: 255\nbands: [red, green, nir]\nnodata: 0\n"
    )
    image, mask = np.full((4, 5, 3), 9, np.uint8), np.zeros((4, 5), np.uint8)
    image[0], mask[0, :2], image[1, :, 0] = 0, 255, 0  # a row without any band, of which two pixels are ignored
    Image.fromarray(image).save(tmp_path / "images/train/a.png")
    Image.fromarray(mask).save(tmp_path / "masks/train/a.png")
    assert main(["data", "stats", str(tmp_path), "--json", str(tmp_path / "s.json")]) == 0
    told = capsys.readouterr().out
    assert "ignored: 10.00 % of 20 pixels" in told
    assert "not measured in any band: 15.00 % more" in told
    content = json.loads((tmp_path / "s.json").read_text())
    assert (content["ignored"], content["unmeasured"]) == (2, 3)
