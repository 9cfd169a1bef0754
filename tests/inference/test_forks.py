"""Segmenters and results in forked processes, pickled and copied."""

import contextlib
import copy
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import picture

from segnext.inference.load import load
from segnext.inference.runtime import EngineName
from segnext.inference.segmenter import Segmenter
from segnext.inference.testing import Testing

ENGINES: tuple[EngineName, ...] = ("openvino", "onnxruntime", "torch")

FORKS = """
import multiprocessing, os, sys, threading
import numpy as np
import segnext
segmenter = segnext.load(sys.argv[1], device="cpu", engine=sys.argv[2], precision="fp32", streams=2)
pictures = sys.argv[3:]
segment = lambda file: segmenter(file).mask.tobytes()

def work(file):  # in the child
    return segment(file)

def forked():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(work, pictures)

unused = forked()
if not os.fork():
    if sys.argv[2] == "onnxruntime":  # waits at the end for threads that are not there
        os._exit(0)
    sys.exit()  # takes apart what the parent has begun
alone = [segment(file) for file in pictures]
used = forked()
stop = threading.Event()
def meanwhile():
    while not stop.is_set():
        segment(pictures[0])
thread = threading.Thread(target=meanwhile)
thread.start()
in_use = [forked() for _ in range(3)]
stop.set()
thread.join()
if sys.argv[2] == "torch":
    import torch.utils.data
    in_use.append(list(torch.utils.data.DataLoader(pictures, 1, num_workers=2, collate_fn=lambda x: work(x[0]))))
assert os.wait()[1] == 0
assert unused == used == alone and all(x == alone for x in in_use)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.parametrize("engine", ENGINES)
def test_forked_processes_give_the_same(engine: EngineName, weights_file: Path, pictures: Path) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    load(weights_file, "cpu", engine=engine, precision="fp32")  # fills the cache
    files = map(str, sorted(pictures.iterdir()))
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, str(weights_file), engine, *files]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}  # threads that a fork loses
    with tempfile.TemporaryFile() as output:  # no pipe, which children that hang would keep open
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            assert process.wait(120) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            output.seek(0)
            print(output.read().decode())


@pytest.mark.parametrize("engine", ENGINES)
def test_segmenters_are_pickled_and_copied(engine: EngineName, weights_file: Path) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    segmenter = load(weights_file, "cpu", engine=engine, precision="fp32", streams=2, testing=Testing(flip=True))
    image = picture(50, 70)
    mask = segmenter(image).mask
    stored = pickle.dumps(segmenter)
    assert len(stored) < 20_000, "the tensors are in the file"
    for other in (pickle.loads(stored), copy.deepcopy(segmenter), copy.copy(segmenter)):
        assert (other.engine.name, other.engine.streams, other.testing) == (
            engine,
            segmenter.engine.streams,
            segmenter.testing,
        )
        np.testing.assert_array_equal(other(image).mask, mask)


def test_results_are_pickled_and_copied(segmenter: Segmenter) -> None:
    image = picture(50, 70)
    for confidence in (False, True):
        result = segmenter.segment(image, "a", confidence=confidence)
        for other in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
            np.testing.assert_array_equal(other.mask, result.mask)
            np.testing.assert_array_equal(other.confidence, result.confidence)
            assert (other.shares, other.name, repr(other)) == (result.shares, "a", repr(result))
            assert other.overlay().tobytes() == result.overlay().tobytes()
