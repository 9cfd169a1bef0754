"""Warnings are silenced in threads, and heard again afterwards."""

import os
import re
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import segnext
from segnext.errors import SegNextError
from segnext.pillow import unbound_pillow
from segnext.silence import silenced


def test_one_place_silences_warnings() -> None:
    """`warnings.catch_warnings` in threads ends what another thread has silenced."""
    root = Path(segnext.__file__).parent
    found = [file.name for file in root.rglob("*.py") if re.search(r"catch_warnings\(", file.read_text("utf-8"))]
    assert found == ["silence.py"]


def test_threads_that_come_and_go() -> None:
    before = [*warnings.filters]

    def work(number: int) -> None:
        for turn in range(40):
            with silenced, unbound_pillow if turn % 2 else silenced:
                with warnings.catch_warnings():  # as libraries do
                    warnings.simplefilter("ignore")
                    time.sleep(0.0001 * (number % 3))
                warnings.warn("not heard", UserWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        heard = [*warnings.filters]
        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(work, range(16))] == [None] * 16
        assert [*warnings.filters] == heard
        with pytest.raises(UserWarning, match="heard"):
            warnings.warn("heard", UserWarning, stacklevel=1)
    assert [*warnings.filters] == before


def test_what_rasterio_silences_on_its_own_is_silent_in_threads() -> None:
    pytest.importorskip("rasterio", reason="the package rasterio is not installed")
    from rasterio.transform import Affine
    from shapely.geometry import box

    from segnext.data.rasters.shapes import burn
    from segnext.inference.rasters.polygons import areas

    def work(number: int) -> float:
        out = np.zeros((20, 30), np.uint8)
        burn(out, [box(2, 2, 9, 9 + number % 3)], [1], Affine.identity())
        return float(sum(shape.area for label, shape in areas(iter([out]), 255) if label == 1))

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(work, range(400))] == [7.0 * (7 + number % 3) for number in range(400)]


def test_opencvs_level_comes_back() -> None:
    import cv2

    from segnext.opencv import opencv_decode

    before = cv2.utils.logging.getLogLevel()
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda _: opencv_decode(b"II*\0 damaged", cv2.IMREAD_COLOR), range(80))] == [None] * 80
    assert cv2.utils.logging.getLogLevel() == before


def test_pickles_are_read_in_threads(tmp_path: Path) -> None:
    """What torch is allowed to read is global too."""
    import torch

    from segnext.checkpoint.pickles import read_pickle

    torch.save({"state_dict": {"a": torch.ones(2)}, "meta": {}}, tmp_path / "a.pth")
    (tmp_path / "bad.pth").write_bytes(b"PK")

    def work(number: int) -> int:
        if number % 4 == 0:
            with pytest.raises(SegNextError):
                read_pickle(tmp_path / "bad.pth")
            return 1
        return len(read_pickle(tmp_path / "a.pth")[0])

    before = set(torch.serialization.get_safe_globals())
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(work, range(80))] == [1] * 80
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_hears_what_its_parents_threads_silenced() -> None:
    go, done = threading.Event(), threading.Event()

    def hold() -> None:
        with silenced:
            go.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    before = [*warnings.filters]
    thread.start()
    go.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if [*warnings.filters] == before and silenced.inside == 0 else 1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
