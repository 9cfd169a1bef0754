"""Every kind of folder is found, explained, and led by the commands as they are printed to one that trains."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from messes import KINDS, PICTURES, draw

from segnext.cli import main
from segnext.data.doctor.check import check
from segnext.data.doctor.findings import Severity

QUICK = {"masks of several people", "near infrared as a fourth band", "CVAT"}  # trained on by default; all by `-m long`


def printed(root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The commands in what `segnext data check` prints."""
    capsys.readouterr()
    main(["data", "check", str(root)])
    lines = (line.strip().removeprefix("-> ") for line in capsys.readouterr().out.splitlines())
    return list(dict.fromkeys(line for line in lines if line.startswith("segnext ")))


def run(command: str, destination: Path) -> int:
    return main([str(destination) if word == "DEST" else word for word in shlex.split(command)[1:]])


def led(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The data set that a folder of a kind becomes by what is printed, every command of which must run."""
    root = tmp_path / "mess of mine"
    _, code, source = KINDS[kind]
    found = {finding.code for finding in check(draw(kind, root).root).findings}
    assert code in found
    commands = printed(root, capsys)
    imports = [command for command in commands if command.startswith("segnext data import ")]
    assert f"--from {source}" in imports[0]
    for number, command in enumerate(imports):
        assert run(command, tmp_path / f"new{number}") == 0, command
    for command in [command for command in commands if command.startswith("segnext data check ")]:
        assert run(command, root) in (0, 1), command
    data = tmp_path / "new0"
    for command in printed(data, capsys):  # the split that is missing
        assert command.startswith("segnext data split "), command
        assert run(command, data) == 0
    return data


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
@pytest.mark.parametrize("kind", KINDS)
def test_a_mess_is_led_to_a_sound_data_set(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check(led(kind, tmp_path, capsys))
    assert [finding for finding in report.findings if finding.severity is Severity.ERROR] == []
    assert len(report.case.survey.items) >= PICTURES


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in QUICK else pytest.mark.long) for kind in KINDS]
)
def test_a_mess_is_led_to_a_training(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_train: Callable[..., int]
) -> None:
    data = led(kind, tmp_path, capsys)
    assert tiny_train(data=data, iterations=4, eval_every=4, crop="[32,32]") == 0
