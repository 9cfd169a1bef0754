"""The command line as a whole: exit codes, and one line for every error."""

import argparse
import importlib
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from segnext.cli import COMMANDS, main
from segnext.errors import SegNextError

Capture = pytest.CaptureFixture[str]


def one_line(capsys: Capture) -> str:
    """What is on stderr, where there is one line and nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err


def test_no_arguments_show_the_usage(capsys: Capture) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: segnext COMMAND")
    assert main(["--debug"]) == 2


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag: str, capsys: Capture) -> None:
    assert main([flag]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name, does in COMMANDS.items():
        assert f"{name:10}{does}\n" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: Capture) -> None:
    assert main([name, "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: segnext {name}")
    assert err == ""


def test_help_is_a_command_too(capsys: Capture) -> None:
    assert main(["help"]) == main(["--help"]) == 0
    usage = capsys.readouterr().out
    assert usage == 2 * usage[: len(usage) // 2]
    assert main(["help", "info"]) == 0
    assert capsys.readouterr().out.startswith("usage: segnext info")


def test_paths_that_are_not_there_get_a_suggestion(
    weights_file: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "street").mkdir(parents=True)
    for arguments, near in (
        (["predict", "x.png", "--weights", str(tmp_path / "runs" / "streat")], "runs/street"),
        (["info", str(tmp_path / "runs" / "streat")], "runs/street"),
        (["train", "--data", str(tmp_path / "rnus"), "--out", str(tmp_path / "out")], "runs"),
        (["data", "check", str(tmp_path / "run" / "street")], "runs"),
        (["predict", str(tmp_path / "run"), "--weights", str(weights_file), "--engine", "torch"], "runs"),
    ):
        assert main(arguments) == 2
        assert f"(did you mean {tmp_path / near}?)" in one_line(capsys)


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"segnext {version('segnext')}\n", "")


def test_unknown_commands(capsys: Capture) -> None:
    assert main(["fly"]) == 2
    assert one_line(capsys) == f"segnext fly: there is no such command; choose from {', '.join(COMMANDS)}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["predict", "x.jpg", "--engine"],
        ["predict", "x.jpg", "--nothing"],
        ["train", "--nothing", "1"],
        ["train"],
        ["train", "--resume"],
        ["train", "--resume", "RUN", "--seed", "1"],
        ["train", "--data", "x", "--out", "y", "--iterations", "many"],
        ["train", "--data", "x", "--out", "y", "--crop", "[1]"],
        ["train", "--data", "x", "--out", "y", "--precision", "int8"],
        ["train", "--config", "gone.yaml"],
        ["eval", "--data"],
        ["eval", "--nothing"],
        ["convert", "x.pth"],
        ["convert", "x.pth", "y.safetensors", "--rank", "many"],
        ["data", "init"],
        ["data", "fly"],
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 2
    assert one_line(capsys).startswith(f"segnext {arguments[0]}")


def test_debug_shows_where_an_error_comes_from(capsys: Capture) -> None:
    with pytest.raises(SegNextError, match="there is no such command"):
        main(["fly", "--debug"])
    with pytest.raises(SegNextError):
        main(["--debug", "convert", "gone.pth", "x.safetensors"])
    assert capsys.readouterr() == ("", "")


def stand_in(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Replace every command by one that fails."""

    def fail(args: object) -> int:
        raise error

    command = SimpleNamespace(add_arguments=lambda parser: None, run=fail)
    monkeypatch.setattr(importlib, "import_module", lambda name: command)


def test_errors_of_the_system_are_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    stand_in(monkeypatch, OSError(28, "No space left on device", "masks/x.png"))
    assert main(["predict"]) == 2
    assert one_line(capsys) == (
        "segnext predict: masks/x.png: cannot be written (No space left on device); make room, then run it again\n"
    )
    with pytest.raises(OSError, match="No space left"):
        main(["predict", "--debug"])


def test_an_interrupt_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    stand_in(monkeypatch, KeyboardInterrupt())
    assert main(["predict"]) == 130
    assert one_line(capsys) == "segnext predict: interrupted\n"


def test_faults_of_ours_have_a_code_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stand_in(monkeypatch, ZeroDivisionError("by\nzero"))
    assert main(["predict"]) == 70
    (file,) = tmp_path.iterdir()
    said = "segnext predict: a fault of segnext's, not of yours (ZeroDivisionError: by\\nzero); please report it with "
    assert one_line(capsys) == f"{said}{file}\n"
    assert "Traceback" in file.read_text()
    assert main(["predict", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert main(["predict"]) == 70
    assert "with what --debug prints" in one_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["predikt", "x.jpg"], "there is no such command; did you mean 'segnext predict'?"),
        (["help", "predikt"], "there is no such command; did you mean 'segnext predict'?"),
        (["--verison"], "there is no such command; did you mean 'segnext --version'?"),
        (["predict", "x.jpg", "--wieghts", "w"], "there is no --wieghts; did you mean --weights?; see"),
        (["data", "stats", "x", "--splits", "train"], "there is no --splits; did you mean --split?; see"),
        (["convert", "a", "b", "c"], "'c' is one argument too many; see"),
        (["info", "segnext_t", "size", "64x64"], "'size' is one argument too many; did you mean --size?; see"),
        (["info", "segnext_z"], "did you mean segnext_t, segnext_s, segnext_b or segnext_l?"),
        (["info", "segnext_t.camvit"], "did you mean segnext_t.camvid?"),
        (["data", "chek", "x"], "ACTION is 'chek'; did you mean check?"),
        (["data", "init", "x", "--like", "city"], "did you mean cityscapes?"),
        (["data", "import", "x", "y", "--from", "coc"], "--from is 'coc'; did you mean coco or coco_stuff?"),
        (["eval", "--data", "x", "--format", "ade"], "--format is 'ade'; did you mean ade20k?"),
        (["export", "segnext_t.camvid", "--to", "onnx", "--data", "x", "--format", "ade"], "did you mean ade20k?"),
        (["predict", "--source", "x"], "there is no --source; give it without a flag; see"),
        (
            ["train", "--data", "x", "--augment.vflip", "0.5"],
            "there is no --augment.vflip; here it is --augment.turn",
        ),
        (["train", "--data", "x", "--rotate", "90"], "there is no --rotate; here it is --augment.turn; see"),
        (["predict", "x", "--imgsz", "64"], "there is no --imgsz; here it is --short-side; see"),
        (["predict", "x", "--batch-size", "3"], "there is no --batch-size; pictures are worked on one by one"),
        (["eval", "--dataset", "x"], "there is no --dataset; here it is --data; see"),
        (["predict", "weights", "x"], "'weights' is no file; did you mean --weights?; see"),
        (["predict", "x", "--engine", "openvin"], "--engine is 'openvin'; did you mean openvino?"),
        (
            ["predict", "x", "--device", "mps"],
            "device is 'mps'; processors and CUDA devices are supported: auto",
        ),
        (["predict", "x", "--device", "gpu"], "device is 'gpu'; did you mean cuda?"),
        (["predict", "x", "--weights", "segnext_t.camvi"], "did you mean segnext_t.camvid?"),
        (["ablate", "--data", "x", "--out", "y", "--rows", "decodr"], "did you mean decoder?"),
    ],
)
def test_slips_get_a_suggestion(
    arguments: list[str], meant: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where nothing is called as a slip
    assert main(arguments) == 2
    assert meant in one_line(capsys)


def test_flags_are_taken_with_underscores_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def run(args: argparse.Namespace) -> int:
        seen.append(args.short_side)
        return 0

    add = lambda parser: parser.add_argument("--short-side", type=int)  # noqa: E731
    command = SimpleNamespace(add_arguments=add, run=run)
    monkeypatch.setattr(importlib, "import_module", lambda name: command)
    assert main(["predict", "--short_side", "64"]) == main(["predict", "--short-side=96"]) == 0
    assert seen == [64, 96]


def test_as_a_process(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "segnext", "fly"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("segnext fly: there is no such command")
    reader = f"{sys.executable} -m segnext --help | true; echo ${{PIPESTATUS[0]}}"
    piped = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, cwd=tmp_path)
    assert piped.stdout.strip() in ("0", "141")
    assert piped.stderr == ""
