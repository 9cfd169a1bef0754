"""A training run in a process of its own, so that its memory is its own, and no run begins in what another left."""

import multiprocessing
import multiprocessing.connection
import os
import traceback
from pathlib import Path

from segnext.bench.worker import peak_rss
from segnext.errors import SegNextError
from segnext.plain import write_json
from segnext.training.config import TrainConfig
from segnext.training.stop import Stopped, stopping
from segnext.training.train import train

PEAK = "peak_rss.json"  # in a run's folder: the most memory that its process held, in bytes
BEAT = 0.5  # seconds between looks at the signals


def train_apart(config: TrainConfig, *, resume: bool = False) -> Path:
    """As `train`, and beside its results `PEAK`. A signal to this process ends the run with a checkpoint.

    Raises:
        SegNextError: what the run raises.
        Stopped: when a signal ended it.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(config, resume, sender))
    with stopping(loud=False, again=False) as stop:
        process.start()
        sender.close()
        told = False
        while process.is_alive():
            process.join(BEAT)
            if stop and not told:
                process.terminate()  # which a run takes as a request to save and end
                told = True
    message: str | None = receiver.recv() if receiver.poll() else f"its process ended (exit code {process.exitcode})"
    if stop:
        raise Stopped(f"{config.out}: ended by {stop.name}; the same command goes on", stop.signal)
    if message is not None:
        raise SegNextError(message)
    return Path(config.out)


def told(error: Exception) -> str:
    """Why a network could not be trained or measured; of what is not said in our words, stderr gets the whole."""
    if isinstance(error, SegNextError):
        return str(error)
    traceback.print_exception(error)
    return f"{type(error).__name__}: {error}"


def _run(config: TrainConfig, resume: bool, answer: "multiprocessing.connection.Connection") -> None:
    """In the process: train, and answer None, or why not."""
    if hasattr(os, "setsid"):
        os.setsid()  # a terminal's Ctrl-C comes from the parent alone; a second signal would end the run at once
    try:
        out = train(config, resume=resume).folder
        write_json(peak_rss(), out / PEAK)
        answer.send(None)
    except Stopped:
        answer.send(None)
    except Exception as error:  # a network of the user's own raises what it wants
        answer.send(told(error))
