"""Strips as a Cloud Optimized GeoTIFF: internal tiles, overviews, colour table, class names, where it lies on Earth."""

import os
import zlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.windows import Window

from segnext.allocator import give_back
from segnext.errors import SegNextError
from segnext.gdal import called
from segnext.inference.rasters.source import CACHE, ENVIRONMENT, RasterFile
from segnext.inference.rasters.strips import LEVELS
from segnext.labels import Labels
from segnext.silence import silenced

BLOCK = 512  # pixels
CACHE_OF_BAND = 64 << 20  # bytes: two rows of blocks of a raster 65,000 pixels wide
ROOM = 128 << 20  # bytes, of which each of GDAL's threads takes two rows of blocks when it makes overviews
RUN = "SEGNEXT_RUN"


def write_labels(file: Path, strips: Iterable[NDArray[np.uint8]], raster: RasterFile, labels: Labels, run: str) -> None:
    """One band of labels, coloured as the classes are; its nodata value is the ignore label.

    Args:
        file: to write; a neighbour of it holds an intermediate form meanwhile.
        strips: (H, W) from the top to the bottom.
        raster: on whose grid they are.
        labels: what they mean.
        run: stands for all that the labels depend on; see `run_of`.

    Raises:
        SegNextError: when there is no room.
    """
    table = {label: (*color, 255) for label, color in enumerate(labels.colors)}
    tags = {RUN: run, **{f"CLASS_{label}": name for label, name in enumerate(labels.classes)}}
    _write(file, strips, raster, ["labels"], labels.ignore, "MODE", tags, table)


def write_shares(
    file: Path, strips: Iterable[NDArray[np.uint8]], raster: RasterFile, names: list[str], run: str
) -> None:
    """Probabilities, a band for each of `names`, as bytes with the scale that makes them 0..1; nodata is 255.

    `strips` are (H, W) or (bands, H, W); see `write_labels`.
    """
    _write(file, strips, raster, names, LEVELS + 1, "AVERAGE", {RUN: run}, None)


def run_of(file: Path) -> str | None:
    """What was said of the run when it was written; None of a file that was not written here."""
    try:
        with silenced, rasterio.open(called(file), driver="GTiff") as raster:
            return raster.tags().get(RUN)  # type: ignore[no-any-return]
    except (RasterioError, OSError, SegNextError):
        return None


def _write(
    file: Path,
    strips: Iterable[NDArray[np.uint8]],
    raster: RasterFile,
    names: list[str],
    nodata: int,
    overviews: str,
    tags: dict[str, str],
    table: dict[int, tuple[int, int, int, int]] | None,
) -> None:
    flat = file.with_name(f"{file.stem}.flat.tif")
    shape: dict[str, Any] = {"height": raster.height, "width": raster.width, "count": len(names), "dtype": "uint8"}
    if raster.crs is not None:
        shape["crs"] = raster.crs
    if not raster.transform.is_identity:
        shape["transform"] = raster.transform
    blocks = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1}
    try:
        cache = {"GDAL_CACHEMAX": min(CACHE_OF_BAND * len(names), CACHE)}
        with rasterio.Env(**{**ENVIRONMENT, **cache}), silenced:
            with rasterio.open(flat, "w", driver="GTiff", nodata=nodata, bigtiff="if_safer", **shape, **blocks) as out:
                if raster.gcps[0]:
                    out.gcps = raster.gcps
                if raster.rpcs is not None:
                    out.rpcs = raster.rpcs
                out.update_tags(**tags)
                if table is not None:
                    out.write_colormap(1, table)
                    out.colorinterp = [ColorInterp.palette]
                else:
                    out.scales = [1 / LEVELS] * len(names)
                for band, name in enumerate(names, 1):
                    out.set_band_description(band, name)
                edges, checksum = [0], 0
                for strip in strips:
                    layers = strip if strip.ndim == 3 else strip[None]
                    out.write(layers, window=Window(0, edges[-1], raster.width, layers.shape[1]))
                    edges.append(edges[-1] + layers.shape[1])
                    checksum = zlib.crc32(layers.data, checksum)
            give_back()  # what the raster's blocks took
            options = {
                "blocksize": BLOCK,
                "compress": "deflate",
                "overview_resampling": overviews,
                "bigtiff": "if_safer",
                "num_threads": max(1, min(os.cpu_count() or 1, ROOM // (2 * BLOCK * raster.width))),
            }
            rasterio.shutil.copy(flat, file, driver="COG", **options)
            _require_whole(file, edges, checksum)
    except (RasterioError, CPLE_BaseError, OSError) as error:  # some of GDAL's come as they are
        reason = " ".join(str(error.__cause__ or error).split())
        raise SegNextError(
            f"{file}: cannot be written ({reason}); make room and run the command again: it goes on from "
            "the finished strips"
        ) from error
    finally:
        flat.unlink(missing_ok=True)


def _require_whole(file: Path, edges: list[int], checksum: int) -> None:
    """Read all of it again: what GDAL cannot write when it closes a file, as on a full disk, it tells nobody.

    Args:
        file: that was written.
        edges: rows at which its strips begin and end.
        checksum: of their values.

    Raises:
        OSError: when they are not in the file.
        RasterioError: when parts of it are missing.
    """
    with rasterio.open(file) as made:
        found, overviews = 0, made.overviews(1)
        for top, bottom in pairwise(edges):
            found = zlib.crc32(made.read(window=Window(0, top, made.width, bottom - top)).data, found)
    if found != checksum:
        raise OSError("not all of it could be written")
    for level in range(len(overviews)):
        with rasterio.open(file, overview_level=level) as smaller:
            for _, window in smaller.block_windows(1):
                smaller.read(window=window)
