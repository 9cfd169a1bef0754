"""Bars and lines on stderr, whatever stderr is."""

import io
import sys

import pytest

from segnext.progress import bar, is_terminal, progress, say


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


STREAMS = {"absent": None, "closed": closed(), "broken": Broken(), "file": io.StringIO()}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_nothing_ends_the_work(stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stderr", "stdout"):
        monkeypatch.setattr(sys, name, stream)
    assert not is_terminal(sys.stderr)
    say("hello")
    with progress("pairs") as watch:
        watch("check", 1, 3)
        watch("check", 3, 3)


def test_a_terminal_sees_a_bar_for_each_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("pairs") as watch:
        watch("look [x]", 1, 2)
        watch("move", 5, 10)
        watch("single", 1, 1)
    shown = terminal.getvalue()
    assert "look [x]" in shown
    assert "5/10" in shown
    assert "pairs/s" in shown
    assert "single" not in shown


def test_a_file_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert bar().disable
