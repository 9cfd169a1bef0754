"""`segnext info` in-process."""

import re
from pathlib import Path

import pytest

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import main
from segnext.labels import Labels
from segnext.model import complexity
from segnext.model.complexity import Part
from segnext.model.config import ModelConfig, staged_presets
from segnext.model.families import build
from segnext.preprocess import Preprocess

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=2, expansions=(2, 2, 2, 2))


def row(output: str, name: str) -> list[str]:
    """The cells of the first line that begins with `name`."""
    lines = [re.split(r"\s*[│┃]\s*", line.strip(" │┃")) for line in output.splitlines()]
    return next(cells for cells in lines if cells[0] == name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[ModelConfig, int, int]]:
    """Replace the counting; the list records what was asked for."""
    calls: list[tuple[ModelConfig, int, int]] = []

    def count(config: ModelConfig, height: int, width: int) -> list[Part]:
        calls.append((config, height, width))
        return [Part("encoder stage 1", 1_500_000, 3_000_000_000), Part("decoder squeeze", 500_000, 1_000_000_000)]

    monkeypatch.setattr(complexity, "count", count)
    return calls


def test_one_model_part_by_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "segnext_t", "--size", "64x128", "--classes", "19"]) == 0
    output = capsys.readouterr().out
    assert "19 classes, 64 x 128 pixels" in output
    assert row(output, "decoder classifier")[1:3] == ["0.005", "0.001"]  # 256 x 19 + 19; 8 x 16 positions
    assert row(output, "encoder in all")[1] == "3.904"
    assert row(output, "whole")[1] == "4.230"


def test_sums_and_shares(asked: list[tuple[ModelConfig, int, int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "segnext_b", "--decoder", "psp"]) == 0
    output = capsys.readouterr().out
    assert row(output, "decoder in all")[1:] == ["0.500", "1.000", "25.0"]
    assert row(output, "whole")[1:] == ["2.000", "4.000", "100.0"]
    config, height, width = asked[0]
    assert (config.decoder, config.num_classes, height, width) == ("psp", 150, 512, 512)


def test_without_a_model_all_of_them(
    asked: list[tuple[ModelConfig, int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--size", "1024x2048", "--classes", "19"]) == 0
    output = capsys.readouterr().out
    assert row(output, "segnext_l")[1:] == ["2.000", "3.000", "1.000", "4.000"]
    assert [(height, width) for _, height, width in asked] == [(1024, 2048)] * len(staged_presets())
    assert {config.num_classes for config, _, _ in asked} == {19}
    assert "deeplabv3plus_resnet101" in output


def test_any_pair(asked: list[tuple[ModelConfig, int, int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "resnet50+ham"]) == 0
    assert "resnet50+ham: 150 classes" in capsys.readouterr().out


def test_published_beside_counted(
    asked: list[tuple[ModelConfig, int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--table"]) == 0
    output = capsys.readouterr().out
    assert row(output, "T, ADE20K")[1:] == ["512x512", "4.3", "2.00", "6.6", "4.00", "41.1"]
    assert row(output, "L, Cityscapes")[1:] == ["1024x2048", "", "2.00", "577.5", "4.00", "83.2"]
    assert row(output, "(c) Ham, stages 1-4")[4:] == ["12.1", "4.00", "40.7"]
    assert len(asked) == 14


def test_weights_stand_for_their_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.safetensors"
    labels = Labels("toy", ("sky", "road"), ((1, 1, 1), (2, 2, 2)))
    save_weights(Weights(TINY, labels, Preprocess(), build(TINY).state_dict()), path)
    assert main(["info", str(path)]) == 0
    assert row(capsys.readouterr().out, "whole")[1] == f"{sum(p.numel() for p in build(TINY).parameters()) / 1e6:.3f}"
    assert main(["info", str(path), "--classes", "3"]) == 2
    assert "weights have their own classes and decoder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["segnext_x"],
            "'segnext_x'; did you mean segnext_t, segnext_s, segnext_b or segnext_l?",
        ),
        (["segnext_t", "--decoder", "fpn"], "decoder is 'fpn'; choose from ham, mlp, aspp, psp, danet"),
        (["--size", "512"], "'512' is not HEIGHTxWIDTH in pixels"),
        (["--size", "0x4"], "'0x4' is not HEIGHTxWIDTH in pixels"),
        (["--classes", "0"], "'0' is not a whole number from 1 on"),
        (["segnext_t", "--table"], "leave out MODEL, --size, --classes and --decoder"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out
