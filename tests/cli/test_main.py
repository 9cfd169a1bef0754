"""The command line as a whole: exit codes, and one line for every error."""

import importlib
import subprocess
import sys
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
    assert one_line(capsys) == "segnext predict: [Errno 28] No space left on device: 'masks/x.png'\n"
    with pytest.raises(OSError, match="No space left"):
        main(["predict", "--debug"])


def test_an_interrupt_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    stand_in(monkeypatch, KeyboardInterrupt())
    assert main(["predict"]) == 130
    assert one_line(capsys) == "segnext predict: interrupted\n"


def test_errors_of_our_own_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["predict"])


def test_as_a_process(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "segnext", "fly"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("segnext fly: there is no such command")
    reader = f"{sys.executable} -m segnext --help | true; echo ${{PIPESTATUS[0]}}"
    piped = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, cwd=tmp_path)
    assert piped.stdout.strip() in ("0", "141")
    assert piped.stderr == ""
