"""Cold starts: what is used for the first time is used by one thread, and new processes do not hang.

`benchmarks/faults/starts.py` is the long form of this.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segnext.inference.load import load
from segnext.inference.runtime import EngineName

CODE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import segnext
segmenter = segnext.load(sys.argv[1], device="cpu", engine=sys.argv[2], streams=2)
before = set(sys.modules)
def work(file):
    result = segmenter(file)
    return result.mean_confidence, result.overlay()
with ThreadPoolExecutor(6) as pool:
    results = list(pool.map(work, sorted(Path(sys.argv[3]).glob("*.png")) * 4))
print(len(results), sorted(set(sys.modules) - before), "torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize(("engine", "starts"), [("openvino", 2), ("onnxruntime", 1), ("torch", 1)])
def test_many_threads_use_a_new_segmenter(engine: EngineName, starts: int, weights_file: Path, pictures: Path) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    load(weights_file, "cpu", engine=engine)  # fills the cache
    command = [sys.executable, "-c", CODE, str(weights_file), engine, str(pictures)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(starts)]
    try:
        for process in processes:
            output, errors = process.communicate(timeout=120)
            assert (process.returncode, errors) == (0, b"")
            assert output == b"12 [] False\n", "a module was imported at its first use, or torch's compiler at all"
    finally:
        for process in processes:
            process.kill()
