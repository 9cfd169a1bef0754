"""What a training says of itself where there is no terminal."""

import pytest

from segnext.training.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which stands still until it is changed."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_line_every_minute(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(steps=100, done=10, images_per_step=2) as shown:
        for step in range(11, 31):  # 10 seconds each
            clock[0] += 10
            shown.update(step, 1.25, 1e-3, 0.0)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 17/100", "step 24/100"]
    assert all("loss 1.250" in line for line in lines)


def test_steps_that_wait_for_data_are_told(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(steps=100, done=0, images_per_step=2) as shown:
        for step in range(1, 9):
            clock[0] += 10
            shown.update(step, 1.25, 1e-3, 0.25)
    assert " images/s (25 % waiting for data)  loss" in capsys.readouterr().err


def test_measuring_for_long_is_said_too(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(steps=100, done=0, images_per_step=2) as shown:
        shown.update(1, 1.25, 1e-3, 0.2)
        for done in range(1, 11):
            clock[0] += 30
            shown.validating(done, 10)
        shown.validated("mIoU", 0.12345, 0.5)
        shown.update(2, 1.0, 1e-3, 0.2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == [
        "val 3/10",
        "val 6/10",
        "val 9/10",
        "mIoU 12.35 % (best 50.00 %)",
    ]


def test_other_processes_say_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(steps=100, done=0, images_per_step=2, shown=False) as shown:
        clock[0] += 100
        shown.update(1, 1.25, 1e-3, 0.2)
        shown.validated("mIoU", 0.5, 0.5)
    assert capsys.readouterr().err == ""
