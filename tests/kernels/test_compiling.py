"""Kernels work where what is compiled cannot be kept, and where what was kept is damaged."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
import pytest

from segnext.kernels.compiling import compiled


def kernel(folder: Path) -> Callable[[int], int]:
    """One whose source and cache are in a folder, as a new process has it."""
    source = folder / "doubled.py"
    source.write_text("def doubled(x):\n    return 2 * x\n")
    names: dict[str, Callable[[int], int]] = {}
    exec(compile(source.read_text(), str(source), "exec"), names)
    found: Callable[[int], int] = compiled()(names["doubled"])
    return found


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def kept(folder: Path, ending: str) -> list[Path]:
    return list(folder.rglob(f"*.{ending}"))


@pytest.mark.parametrize("largest", [10, 1000])  # with room for nothing, and for the index alone
def test_without_room(caches: Path, largest: int) -> None:
    function = kernel(caches)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    assert function(4) == 8
    assert not kept(caches, "nbi"), "an index without its data would name those of an older source"


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_was_cut_is_compiled_again(caches: Path, ending: str) -> None:
    assert kernel(caches)(4) == 8
    (file,) = kept(caches, ending)
    file.write_bytes(file.read_bytes()[:20])
    assert kernel(caches)(4) == 8
    assert kernel(caches)(4) == 8
