"""Streams that are absent, closed or read by nobody, and file names that would do something to a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from segnext.cli import main


@pytest.mark.parametrize(
    "shell", ["{} >&-", "{} 2>&-", "{} <&- >&- 2>&-", "{} >/dev/full", "{} 2>/dev/full", "{} | true"]
)
@pytest.mark.parametrize("arguments", ["--help", "predikt", "data stats DIR", ""])
def test_no_stream_is_needed(shell: str, arguments: str) -> None:
    command = shell.format(f"{sys.executable} -m segnext {arguments}")
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=100)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    full = "/dev/full" in shell and "2>" not in shell
    assert done.returncode in ((0, 2, 141) if "|" in shell or full else (0 if arguments == "--help" else 2,))


def test_windows_without_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(["--help"]) == 0
    assert main(["fly"]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_names_are_shown_escaped_and_lose_no_results(
    weights_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)  # noqa: PTH102 - names that are no text
    for name in (b"line\nbreak.png", b"\x1b[31mred.png", b"latin-\xe9.png", "caf\u00e9.png".encode()):
        with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123
            PIL.Image.new("RGB", (40, 40)).save(file, "png")
    with open(os.path.join(folder, b"broken\x1b\xff.png"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"none")
    results = tmp_path / "results.json"
    flags = [
        "--weights",
        str(weights_file),
        "--engine",
        "torch",
        "--out",
        str(tmp_path / "out"),
        "--json",
        str(results),
    ]
    assert main(["predict", str(tmp_path / "in"), *flags]) == 1
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err
    assert r"line\nbreak.png" in out
    assert r"\x1b[31mred.png" in out
    assert r"latin-\udce9.png" in out
    assert "caf\u00e9.png" in out
    assert r"broken\x1b\udcff.png" in err
    assert err.count("\n") == 1
    records = json.loads(results.read_text(encoding="utf-8"))
    assert len(records) == 5
    assert all(os.path.lexists(record["file"]) for record in records)


def test_results_for_programs_alone_on_stdout(
    weights_file: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--weights", str(weights_file), "--engine", "torch", "--out", str(tmp_path / "out")]
    assert main(["predict", str(pictures), *flags, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert [Path(record["file"]).name for record in json.loads(out)] == ["a.png", "b.png", "c.png"]
    assert "results:" in err
