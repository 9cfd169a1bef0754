"""Folders for what can be made again, whoever the user is."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import segnext
from segnext.cache import cache_folder, can_write, temporary_cache


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGNEXT_CACHE", "/somewhere/else")
    assert cache_folder() == Path("/somewhere/else")
    monkeypatch.delenv("SEGNEXT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/segnext")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/segnext"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    temporary_cache.cache_clear()
    yield tmp_path
    temporary_cache.cache_clear()


def test_without_a_home_it_is_temporary_and_said_once(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("SEGNEXT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    folder = cache_folder()
    assert folder == cache_folder()
    assert folder.parent == temporary
    assert capsys.readouterr().err.count("set SEGNEXT_CACHE to choose another") == 1
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_home_that_may_not_be_entered_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, status = tmp_path / "closed", Path.stat

    def refused(path: Path, **options: bool) -> os.stat_result:
        if closed in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return status(path, **options)

    monkeypatch.delenv("SEGNEXT_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed / "caches"))
    monkeypatch.setattr(Path, "stat", refused)
    assert cache_folder() == closed / "caches/segnext"


@pytest.mark.skipif(os.name != "posix", reason="permissions are of another kind")
def test_a_temporary_folder_that_others_may_write_is_not_taken(temporary: Path) -> None:
    (temporary / f"segnext-{os.getuid()}").mkdir()
    (temporary / f"segnext-{os.getuid()}").chmod(0o777)
    assert temporary_cache().name != f"segnext-{os.getuid()}"


def test_a_file_is_no_folder_to_write_in(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert can_write(tmp_path / "not" / "yet")
    assert not can_write(tmp_path / "file" / "cache")


def test_kernels_are_compiled_where_the_package_cannot_be_written(tmp_path: Path) -> None:
    package = tmp_path / "site" / "segnext"
    shutil.copytree(Path(segnext.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    (package / "kernels" / "__pycache__").touch()  # as good as read-only, for root too
    code = "import numpy as np; from segnext.kernels.classify import exp; print(float(exp(np.float32(0))))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PYTHONPATH": str(tmp_path / "site"),
            "HOME": "/nonexistent/home",
            "SEGNEXT_CACHE": str(tmp_path / "cache"),
        },
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("1.0\n", "")
    assert any((tmp_path / "cache" / "kernels").rglob("*.nbc"))
