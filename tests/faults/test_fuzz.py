"""Damaged files are read or refused with one sentence; `benchmarks/faults/fuzz.py` is the long form of this."""

import os
from pathlib import Path

import fuzz
import pytest
from mutations import KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_some_of_each_kind(kind: str, tmp_path: Path) -> None:
    for number in range(60):
        assert fuzz.try_one(kind, number, tmp_path) == "", f"case {number}"


def test_faults_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for what, fault in ((ZeroDivisionError("x"), "ZeroDivisionError"), (None, "")):

        def read(*_: object, what: Exception | None = what) -> None:
            if what:
                raise what

        monkeypatch.setattr(fuzz, "_read", read)
        assert fault in fuzz.try_one("yaml", 0, tmp_path)


def test_a_child_that_hangs_or_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases are those of a kind made for this: 1 hangs, 3 dies."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        pytest.skip("spawns processes")
    faults = fuzz.run(fuzz.Plan("trial", 0, 5, 2.0, 500))
    assert [(number, text.split(" in ")[0].split(" (")[0]) for number, text in faults] == [
        (1, "no answer"),
        (3, "the process died"),
    ]
