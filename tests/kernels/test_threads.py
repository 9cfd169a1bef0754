"""Work shared between threads, and forks meanwhile."""

import multiprocessing
import os
import threading

import pytest

from segnext.kernels import threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_goes_on_though_a_thread_never_ends_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PATIENCE", 0.1)
    with threads.loading:  # this thread waits for one that forks
        process = multiprocessing.get_context("fork").Process(target=take)
        starting = threading.Thread(target=process.start)
        starting.start()
        starting.join()
    process.join()
    assert process.exitcode == 0
    threads.loading.acquire()
    threads.loading.release()


def take() -> None:
    with threads.loading:
        threads.share(lambda worker, workers: None, 3)
