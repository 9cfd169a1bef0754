"""Signals end a run between two steps, with a checkpoint from which it ends as if nothing had happened."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from segnext.cli import main
from segnext.evaluation import evaluate
from segnext.training import segmentation
from segnext.training.step import Batch, Step, Taken
from segnext.training.stop import Stopped, stopping

Train = Callable[..., int]


def state(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "state.pt", weights_only=True)
    return content


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[int, signal.Signals]:
    """Signals that come while a step (from 1) is taken."""
    coming: dict[int, signal.Signals] = {}
    take = Step.__call__

    def interrupted(self: Step, parts: list[Batch], number: int) -> Taken:
        if number + 1 in coming:
            os.kill(os.getpid(), coming[number + 1])
        return take(self, parts, number)

    monkeypatch.setattr(Step, "__call__", interrupted)
    return coming


def test_a_signal_ends_the_run_after_the_step_with_a_checkpoint(
    tiny_train: Train, tmp_path: Path, steps: dict[int, signal.Signals], capfd: pytest.CaptureFixture[str]
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    before = signal.getsignal(signal.SIGTERM)
    steps[3] = signal.SIGTERM
    assert tiny_train(out=run, save_every=100, val_split="null") == 128 + signal.SIGTERM
    err = capfd.readouterr().err
    assert "SIGTERM: stopping after this step" in err
    assert err.endswith(f"segnext train: {run}: ended by SIGTERM at step 3 of 4; go on with --resume {run}\n")
    assert state(run)["step"] == 3
    assert signal.getsignal(signal.SIGTERM) == before

    steps.clear()
    assert main(["train", "--resume", str(run)]) == 0
    assert "resuming at step 3 of 4\n" in capfd.readouterr().out
    assert tiny_train(out=whole, save_every=100, val_split="null") == 0
    found, expected = state(run), state(whole)
    assert all(torch.equal(found["model"][name], tensor) for name, tensor in expected["model"].items())


def test_a_signal_while_measuring_breaks_it_off_and_the_resumed_run_measures(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(predict: Any, pairs: Any, labels: Any, progress: Callable[[int], None]) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate.evaluate(predict, pairs, labels, progress)

    out = tmp_path / "run"
    monkeypatch.setattr(segmentation, "evaluate", interrupted)
    assert tiny_train(out=out, eval_every=2, save_every=100) == 128 + signal.SIGTERM
    assert (state(out)["step"], state(out)["measured"]) == (2, 0)
    assert not (out / "best.safetensors").exists()

    monkeypatch.setattr(segmentation, "evaluate", evaluate.evaluate)
    assert main(["train", "--resume", str(out)]) == 0
    lines = (out / "log.jsonl").read_text().splitlines()
    assert [line.split('"step": ')[1][0] for line in lines if '"val"' in line] == ["2", "4"]


def test_a_signal_in_the_first_and_last_measurement(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(predict: Any, pairs: Any, labels: Any, progress: Callable[[int], None]) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate.evaluate(predict, pairs, labels, progress)

    out = tmp_path / "run"
    monkeypatch.setattr(segmentation, "evaluate", interrupted)
    assert tiny_train(out=out) == 128 + signal.SIGTERM
    assert capfd.readouterr().err.endswith(f"ended by SIGTERM at step 4 of 4; go on with --resume {out}\n")
    assert main(["train", "--resume", str(out)]) == 128 + signal.SIGTERM
    monkeypatch.setattr(segmentation, "evaluate", evaluate.evaluate)
    assert main(["train", "--resume", str(out)]) == 0
    assert "best mIoU on val: " in capfd.readouterr().out
    assert state(out)["measured"] == 4
    assert main(["train", "--resume", str(out)]) == 0
    assert f"{out}: the run is complete, with 4 steps" in capfd.readouterr().out


def test_processes_of_torchrun_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with stopping(loud=False, again=False) as stop:
        assert not stop
        monkeypatch.setattr(os, "getppid", lambda: 1)
        assert stop
        assert stop.name == "SIGTERM"
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    with stopping(loud=False, again=False) as stop:
        monkeypatch.setattr(os, "getppid", lambda: 2)  # as of a shell that has ended, and left its job to itself
        assert not stop


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the process, also where the shell that started the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_second_signal_is_not_held_back() -> None:
    with stopping(loud=False, again=True) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with stopping(loud=False, again=False) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.name == "Ctrl-C"


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
def test_what_the_parent_ignores_stays_ignored(ignored: signal.Signals) -> None:
    before = signal.signal(ignored, signal.SIG_IGN)
    try:
        with stopping(loud=False, again=True) as stop:
            os.kill(os.getpid(), ignored)
            assert not stop
    finally:
        signal.signal(ignored, before)


def test_a_closed_terminal_takes_no_message() -> None:
    there, before = os.dup(2), signal.getsignal(signal.SIGHUP)
    gone, stderr = os.pipe()
    os.dup2(stderr, 2)
    os.close(stderr)
    os.close(gone)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with stopping(loud=True, again=True) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(BrokenPipeError):
                os.write(2, b"nobody reads this")
    finally:
        signal.signal(signal.SIGHUP, before)
        os.dup2(there, 2)
        os.close(there)
    assert stop.name == "SIGHUP"


def test_other_threads_take_no_signals() -> None:
    def in_a_thread() -> None:
        with stopping(loud=False, again=True):
            pass

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()


def test_stopped_is_an_interrupt() -> None:
    assert issubclass(Stopped, KeyboardInterrupt)
