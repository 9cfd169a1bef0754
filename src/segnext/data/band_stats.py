"""Mean and deviation of each band over a training split: measured once, in one pass, and kept with the data."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.bands import require_picture
from segnext.data.folder import DataSet, Folder, Pair
from segnext.errors import SegNextError
from segnext.plain import write_json
from segnext.preprocess import Bands, Preprocess

CACHE = "bands.json"  # in the data set's folder
THREADS = 2


def fitted_preprocess(
    data: DataSet,
    pairs: Sequence[Pair],
    *,
    chosen: Sequence[str] | None = None,
    short_side: int | None = None,
    long_side: int | None = None,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Preprocess:
    """How the pictures of a training are prepared: ImageNet's constants for RGB, measured ones for named bands.

    Args:
        data: the data set.
        pairs: those that are trained on.
        chosen: names of the bands to train on; None for all.
        short_side, long_side: see `Preprocess`.
        watch: called with the number of pictures measured, and of all.

    Raises:
        SegNextError: when the files do not have the bands that dataset.yaml names, or it names none and they have
            more than pictures do; for bands that it does not name; and for a band that is the same everywhere.
    """
    bands = data.bands
    if bands is None:
        if chosen is not None:
            raise SegNextError(
                f"{data.path / 'dataset.yaml'}: names no bands to choose {', '.join(chosen)} from; "
                "add 'bands: [red, green, blue, nir]', the names in the order of the files"
            )
        if isinstance(data, Folder):  # public data sets are what they are
            require_picture(pairs[0].image)
        return Preprocess(short_side=short_side, long_side=long_side)
    unknown = [name for name in chosen or () if name not in bands.names]
    if unknown or (chosen is not None and len(set(chosen)) != max(1, len(chosen))):
        raise SegNextError(
            f"bands is {list(chosen or ())}; choose each once from those in {data.path / 'dataset.yaml'}: "
            f"{', '.join(bands.names)}"
        )
    measured = _kept(data, pairs) or _measure(data, bands, pairs, watch)
    bands = replace(bands, chosen=tuple(chosen or bands.names), dtype=measured["dtype"])
    mean, std = ([measured[what][position] for position in bands.positions] for what in ("mean", "std"))
    for name, deviation in zip(bands.chosen, std, strict=True):
        if not deviation > 0:
            raise SegNextError(
                f"{data.path}: band '{name}' has one value everywhere or none at all, so nothing can be learned from "
                "it; train without it (--bands), or mend the files"
            )
    return Preprocess(tuple(mean), tuple(std), short_side, bands, long_side)


def moments(image: NDArray[Any]) -> NDArray[np.float64]:
    """Of each band the number of pixels that were measured, their mean, and the sum of squared distances from it.

    Args:
        image: (H, W, bands).

    Returns:
        (3, bands).
    """
    values = image.reshape(-1, image.shape[2]).astype(np.float64)
    count = np.isfinite(values).sum(0)
    mean = np.nansum(values, 0) / np.maximum(count, 1)
    return np.stack([count, mean, np.nansum((values - mean) ** 2, 0)])


def combined(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The moments of two sets of pixels together (Chan, Golub, LeVeque: Updating Formulae, 1979, equation 2.1)."""
    count = first[0] + second[0]
    weight = second[0] / np.maximum(count, 1)
    distance = second[1] - first[1]
    return np.stack([count, first[1] + weight * distance, first[2] + second[2] + distance**2 * weight * first[0]])


def _measure(data: DataSet, bands: Bands, pairs: Sequence[Pair], watch: Callable[[int, int], None]) -> dict[str, Any]:
    """Measure all bands, not only those chosen now, and keep the result where the data are, if that can be."""
    bands = replace(bands, dtype=pairs[0].dtype())
    total = np.zeros((3, len(bands.names)))
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            parts = pool.map(lambda pair: moments(pair.read_image(bands)), pairs)
            for done, part in enumerate(parts, 1):
                total = combined(total, part)
                watch(done, len(pairs))
        finally:
            pool.shutdown(cancel_futures=True)
    std = np.sqrt(total[2] / np.maximum(total[0], 1))
    measured = {
        "bands": list(bands.names),
        "nodata": bands.nodata,
        "dtype": bands.dtype,
        "mean": total[1].tolist(),
        "std": std.tolist(),
        "pictures": len(pairs),
        "files": _fingerprint(data, pairs),
    }
    with suppress(OSError):  # data that cannot be written to are measured anew for each run
        write_json(measured, data.path / CACHE)
    return measured


def _kept(data: DataSet, pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """What an earlier run measured on the same files."""
    try:
        measured = json.loads((data.path / CACHE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    bands = data.bands
    assert bands is not None
    same = (
        isinstance(measured, dict)
        and measured.get("bands") == list(bands.names)
        and measured.get("nodata") == bands.nodata
        and measured.get("files") == _fingerprint(data, pairs)
    )
    return measured if same else None


def _fingerprint(data: DataSet, pairs: Sequence[Pair]) -> str:
    """Changes when a training file is added, removed or written again."""
    digest = hashlib.blake2b(digest_size=16)
    for pair in pairs:
        stat = pair.image.stat()
        digest.update(repr((os.path.relpath(pair.image, data.path), stat.st_size, stat.st_mtime_ns)).encode())
    return digest.hexdigest()
