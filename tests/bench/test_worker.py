"""Objects in processes of their own."""

import os
from fractions import Fraction
from functools import partial

import pytest

from segnext.bench.worker import Worker, peak_rss
from segnext.errors import SegNextError


def test_a_process_answers_counts_its_own_memory_and_ends() -> None:
    with Worker("half", partial(Fraction, 2, 4)) as worker:
        assert worker.call("as_integer_ratio") == (1, 2)
        own, here = worker.peak_rss(), peak_rss()
        assert own is not None
        assert here is not None
        assert 5e6 < own < here, "the peak of the process that started it, which has torch, is not its own"
        with pytest.raises(SegNextError, match=r"half: AttributeError\(.*no_such"):
            worker.call("no_such")
        assert worker.call("as_integer_ratio") == (1, 2), "an error does not end it"
    assert worker.process.exitcode == 0


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(SegNextError, match=r"number: ValueError\(.*'x'"):
        Worker("number", partial(int, "x"))


def test_a_process_that_dies_is_said() -> None:
    with pytest.raises(SegNextError, match=r"way: its process ended \(exit code 3\)"):
        Worker("way", partial(os._exit, 3))
