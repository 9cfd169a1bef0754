"""`segnext convert`, both ways."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

import segnext
from segnext.checkpoint.names import to_official
from segnext.checkpoint.official import from_official
from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.cli import main
from segnext.data.known import known_labels
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import ModelConfig, preset
from segnext.model.families import build
from segnext.preprocess import Preprocess

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=2)

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SegNeXt-T with 19 classes in the authors' layout."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("official") / "t.pth"
    torch.save({"state_dict": to_official(build(preset("segnext_t", num_classes=19)).state_dict())}, path)
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    labels = Labels("toy", ("sky", "road"), ((1, 2, 3), (4, 5, 6)))
    path = tmp_path / "tiny.safetensors"
    save_weights(Weights(TINY, labels, Preprocess(short_side=99), build(TINY).state_dict()), path)
    return path


def failed(capsys: Capture) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("segnext convert: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.long
def test_there_and_back_with_equal_outputs(official: Path, tmp_path: Path, capsys: Capture) -> None:
    ours, back, again = (tmp_path / "new" / name for name in ("ours", "back.pth", "again.safetensors"))
    ours = ours.with_suffix(".safetensors")
    assert main(["convert", str(official), str(ours)]) == 0
    assert "tensors, 19 classes (cityscapes), rank 16" in capsys.readouterr().out
    assert main(["convert", str(ours), str(back)]) == 0
    assert "tensors in the authors' layout" in capsys.readouterr().out
    assert main(["convert", str(back), str(again)]) == 0
    first, second = torch.load(official, weights_only=True), torch.load(back, weights_only=True)
    assert first["state_dict"].keys() == second["state_dict"].keys()

    image = torch.randn(1, 3, 40, 56)
    config, state = from_official(first["state_dict"], "")
    direct = build(config).eval()
    direct.load_state_dict(state)
    with torch.inference_mode():
        expected = direct(image)
        for path in (ours, again):
            model = segnext.load(path, "cpu", engine="torch").model
            torch.testing.assert_close(model(image), expected, rtol=0, atol=1e-5)
            maps = model.encoder(image)
            assert [x.shape[1] for x in maps] == [32, 64, 160, 256]
            assert model.decoder(maps).shape == (1, 19, 5, 7)


def test_any_name_can_be_converted_to(official: Path, tmp_path: Path) -> None:
    assert main(["convert", str(official), str(tmp_path / "plain")]) == 0
    assert segnext.load(tmp_path / "plain", "cpu", engine="torch").labels == known_labels("cityscapes")


def test_an_official_state_dict_in_a_safetensors_file(tiny: Path, tmp_path: Path, capsys: Capture) -> None:
    ours = load_weights(tiny).state
    state = to_official(ours)
    whole, encoder, target = (tmp_path / f"{name}.safetensors" for name in ("whole", "encoder", "target"))
    safetensors.torch.save_file(state, whole)
    safetensors.torch.save_file({n[9:]: x for n, x in state.items() if n.startswith("backbone.")}, encoder)
    with pytest.raises(SegNextError, match="a safetensors file without segnext's header; convert it with"):
        segnext.load(whole)
    assert main(["convert", str(whole), str(target), "--rank", "4"]) == 0
    assert "tensors, 2 classes (unknown), rank 4" in capsys.readouterr().out
    assert all(torch.equal(x, ours[name]) for name, x in load_weights(target).state.items())
    assert main(["convert", str(encoder), str(target)]) == 0
    assert "an encoder alone" in capsys.readouterr().out
    assert main(["info", str(target)]) == 0
    assert "multiply-adds" not in capsys.readouterr().out  # which nothing was counted of
    safetensors.torch.save_file({"a": torch.ones(1)}, whole)
    assert main(["convert", str(whole), str(target)]) == 2
    assert "whole.safetensors: holds no SegNeXt" in failed(capsys)


def test_half_the_size(official: Path, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    assert main(["convert", str(official), str(whole)]) == 0
    assert main(["convert", str(official), str(half), "--half"]) == 0
    assert half.stat().st_size < 0.6 * whole.stat().st_size


def test_our_own_file_to_our_own_file(tiny: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "half.safetensors"
    assert main(["convert", str(tiny), str(target), "--half"]) == 0
    assert f"{target}: 0.1 MB" in capsys.readouterr().out
    assert load_weights(target).preprocess.short_side == 99


def test_half_is_for_our_files(tiny: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["convert", str(tiny), str(tmp_path / "x.pth"), "--half"]) == 2
    assert "--half is for files of ours; let OUT end in .safetensors" in failed(capsys)
    assert not (tmp_path / "x.pth").exists()


def test_a_run_folder_is_converted_by_its_best_weights(tiny: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    tiny.rename(run / "best.safetensors")
    assert main(["convert", str(run), str(tmp_path / "x.pth")]) == 0
    content = torch.load(tmp_path / "x.pth", weights_only=True)
    assert content["meta"]["CLASSES"] == ("sky", "road")
    assert content["meta"]["PALETTE"] == [[1, 2, 3], [4, 5, 6]]


def test_unknown_stages_need_a_rank(tiny: Path, tmp_path: Path, capsys: Capture) -> None:
    source, target = tmp_path / "x.pth", tmp_path / "y.safetensors"
    torch.save({"state_dict": to_official(load_weights(tiny).state)}, source)
    assert main(["convert", str(source), str(target)]) == 2
    assert "give it with --rank" in failed(capsys)
    assert main(["convert", str(source), str(target), "--rank", "4"]) == 0
    assert "2 classes (unknown), rank 4" in capsys.readouterr().out
    assert load_weights(target).labels.classes == ("class 0", "class 1")


def test_a_label_set_can_be_named(official: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "x.safetensors"
    assert main(["convert", str(official), str(target), "--like", "Cityscapes"]) == 0
    capsys.readouterr()
    assert main(["convert", str(official), str(target), "--like", "camvid"]) == 2
    assert "has 19 classes, but label set 'camvid' 11" in failed(capsys)
    assert main(["convert", str(official), str(target), "--like", "mars"]) == 2
    assert "'mars' is not a known label set" in failed(capsys)


def test_what_cannot_be_converted(official: Path, tmp_path: Path, capsys: Capture) -> None:
    target = str(tmp_path / "x.safetensors")
    text = tmp_path / "text.pth"
    text.write_text("no checkpoint")
    assert main(["convert", str(tmp_path / "gone.pth"), target]) == 2
    assert "gone.pth: no such file" in failed(capsys)
    assert main(["convert", str(tmp_path / "gone.safetensors"), target]) == 2
    assert "gone.safetensors" in failed(capsys)
    assert main(["convert", str(text), target]) == 2
    assert "text.pth: " in failed(capsys)
    assert main(["convert", str(tmp_path), target]) == 2
    assert "no weights in this folder" in failed(capsys)
    assert main(["convert", str(official), str(tmp_path / "ours.pth")]) == 2
    assert "ours.pth: from an official file comes one of ours; let OUT end in .safetensors" in failed(capsys)
    assert main(["convert", str(official), str(tmp_path)]) == 2
    assert "cannot be written" in failed(capsys)
    assert main(["convert", str(official), str(text / "x.safetensors")]) == 2
    assert "cannot make its folder" in failed(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.pth"]
