"""Operators of our own, compiled by numba when they are first used; then the compiled code is taken from a cache."""

import os
import sys
from pathlib import Path

from segnext.cache import cache_folder, can_write, temporary_cache

# Numba keeps compiled code beside its source, and refuses to begin where it finds no folder that it may write.
if "NUMBA_CACHE_DIR" not in os.environ and not can_write(Path(__file__).parent / "__pycache__"):
    folder = cache_folder()
    os.environ["NUMBA_CACHE_DIR"] = str((folder if can_write(folder) else temporary_cache()) / "kernels")
    if "numba" in sys.modules:  # it has read the environment
        sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
