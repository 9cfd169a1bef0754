"""Kernels work where what is compiled cannot be kept, and where what was kept is damaged."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import numba
import pytest
from numba.core.caching import IndexDataCacheFile

from segnext.kernels.compiling import compiled


def kernel(folder: Path) -> Any:
    """One whose source and cache are in a folder, as a new process has it."""
    source = folder / "doubled.py"
    source.write_text("def doubled(x):\n    return 2 * x\n")
    names: dict[str, Callable[[float], float]] = {}
    exec(compile(source.read_text(), str(source), "exec"), names)
    return compiled()(names["doubled"])


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    return tmp_path


def kept(folder: Path, ending: str) -> list[Path]:
    return list(folder.rglob(f"*.{ending}"))


@pytest.mark.parametrize("largest", [10, 1000])  # with room for nothing, and for the index alone
def test_without_room(caches: Path, largest: int) -> None:
    function = kernel(caches)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, unlimited[1]))
    try:
        assert function(4) == 8
    finally:  # before pytest writes its report, perhaps to a file
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert not kept(caches, "nbi"), "an index without its data would name those of an older source"


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_was_cut_is_compiled_again(caches: Path, ending: str) -> None:
    assert kernel(caches)(4) == 8
    (file,) = kept(caches, ending)
    file.write_bytes(file.read_bytes()[:20])
    assert kernel(caches)(4) == 8
    assert kernel(caches)(4) == 8


def test_processes_that_keep_at_once(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled_for = [(kernel(caches), 4), (kernel(caches), 4.5)]  # each as in a process of its own
    waiting: list[Callable[[], None]] = []
    for function, argument in compiled_for:
        save = function._cache.save_overload
        function._cache.save_overload = lambda *what, save=save: waiting.append(lambda: save(*what))
        function(argument)
    both = Barrier(2)
    read = IndexDataCacheFile._load_index

    def read_with_the_other(cache_file: IndexDataCacheFile) -> Any:
        found = read(cache_file)  # type: ignore[no-untyped-call]
        with suppress(BrokenBarrierError):
            both.wait(0.5)
        return found

    monkeypatch.setattr(IndexDataCacheFile, "_load_index", read_with_the_other)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda save: save(), waiting))
    assert len(kept(caches, "nbc")) == 2, "one wrote its code over the other's"
    assert (kernel(caches)(4), kernel(caches)(4.5)) == (8, 9.0)


GRADIENTS = """
import hashlib, torch
from segnext.model.encoders.mscan import Block
torch.manual_seed(0)
block = Block(32, 2, 0.0).train()
x = torch.randn(2, 32, 9, 13).contiguous(memory_format=torch.channels_last).requires_grad_()
block(x).sin().sum().backward()
print(hashlib.sha256(b"".join(p.grad.numpy().tobytes() for p in block.parameters())).hexdigest())
"""


@pytest.mark.long
def test_what_a_process_compiles_and_what_the_next_one_finds_have_the_same_bits(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", GRADIENTS]
    found = {subprocess.run(command, env=environment, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(found) == 1
    assert kept(tmp_path, "nbc")
