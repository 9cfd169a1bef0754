"""`segnext bench` in-process, and with its workers in this process too."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch

from segnext.bench import limits, measure
from segnext.bench import ways as ways_module
from segnext.cli import main


class Local:
    """A worker without a process."""

    def __init__(self, name: str, make: Callable[[], object]) -> None:
        self.made = make()

    def call(self, method: str) -> Any:
        return getattr(self.made, method)()

    def peak_rss(self) -> int:
        return 123_000_000

    def close(self) -> None: ...

    def __enter__(self) -> "Local":
        return self

    def __exit__(self, *error: object) -> None: ...


def test_tables_json_and_picture(
    weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "Worker", Local)
    monkeypatch.setattr(ways_module, "_configure", lambda way: None)
    monkeypatch.setattr(ways_module, "precisions", lambda engine: ("fp32",))
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setattr(limits, "SIDE", 32)
    monkeypatch.setattr(limits, "COPIES", (1 << 10, 1 << 16))
    out = tmp_path / "new" / "bench.json"
    arguments = ["--weights", str(weights_file), "--size", "40x64", "--engines", "torch", "--no-peers"]
    assert main(["bench", *arguments, "--rounds", "3", "--json", str(out)]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert "40 x 64, 4 classes, median of 3 rounds" in " ".join(output.out.split())
    found = json.loads(out.read_text())
    assert (found["height"], found["width"], found["classes"]) == (40, 64, 4)
    plain, ours = found["ways"]
    assert (plain["name"], ours["name"]) == ("plain", "torch fp32")
    assert plain["agreement"] == 1
    assert ours["agreement"] > 0.999
    assert ours["peak_rss"] == 123_000_000
    assert len(ours["rounds"]) == 3
    together = [times["network"] + times["labels"] for times in ours["rounds"]]
    assert ours["network_and_labels"] == sorted(together)[1]
    assert ours["speedup"] == plain["network_and_labels"] / ours["network_and_labels"]
    assert found["floor"]["fp32"] == pytest.approx(found["multiply_adds"] / found["limits"]["multiply_adds"]["fp32"])
    with PIL.Image.open(out.with_suffix(".png")) as drawn:
        assert drawn.width == 1200
    assert f"picture: {out.with_suffix('.png')}" in output.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "w", "--model", "segnext_t"], "leave out --model and --classes, or --weights"),
        (["--image", "a.jpg", "--size", "64x64"], "leave out --size, or --image"),
        (["--classes", "257"], "masks hold at most 256 classes"),
        (["--model", "segnext_x"], "unknown model 'segnext_x'"),
        (["--image", "missing.jpg"], "missing.jpg: no such file"),
        (["--engines", "tensorrt"], "--engines is 'tensorrt'"),
        (["--rounds", "0"], "'0' is not a whole number from 1 on"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "measure", lambda *arguments: pytest.fail("nothing may be measured"))
    assert main(["bench", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    assert output.err.count("\n") == 1
