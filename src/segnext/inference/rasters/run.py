"""A raster from its file to labels, polygons and probabilities."""

import errno
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from segnext.errors import SegNextError
from segnext.files import ADDRESS, replacing
from segnext.gdal import called
from segnext.inference.outputs import writing
from segnext.inference.rasters.geotiff import run_of, write_labels, write_shares
from segnext.inference.rasters.ground import Ground
from segnext.inference.rasters.parts import DamagedStripError, Parts
from segnext.inference.rasters.polygons import areas, driver_of, write_polygons
from segnext.inference.rasters.polygons import run_of as polygons_of
from segnext.inference.rasters.source import RasterFile, open_raster
from segnext.inference.rasters.strips import Wanted, strips
from segnext.inference.segmenter import Segmenter
from segnext.inference.tiling import OVERLAP, TILE, Grid
from segnext.inference.unfinished import Share, alone, digest, identity, joining
from segnext.labels import Labels
from segnext.model.config import aligns_corners

GEOTIFF = (".tif", ".tiff")
ROWS = 512  # of finished labels that are counted at a time
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Outputs:
    """Files to write; all but the labels are optional.

    Attributes:
        labels: a Cloud Optimized GeoTIFF with a label per pixel.
        polygons: areas as .gpkg, .geojson or .fgb.
        confidence: a GeoTIFF with the probability of each label.
        probabilities: a GeoTIFF with the probabilities of all classes, a band for each.
        simplify: pixels by which the polygons' edges may move.

    Raises:
        SegNextError: for suffixes of other kinds of files, a negative number of pixels, or one without polygons.
    """

    labels: Path
    polygons: Path | None = None
    confidence: Path | None = None
    probabilities: Path | None = None
    simplify: float = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be done, before anything is."""
        for kind, file in self.files().items():
            if kind == "polygons":
                driver_of(file)
            elif file.suffix.lower() not in GEOTIFF:
                raise SegNextError(f"{file}: {kind} is written as a GeoTIFF; give the file the suffix .tif")
        if not 0 <= self.simplify < math.inf or (self.simplify and not self.polygons):
            raise SegNextError(
                f"simplify is {self.simplify:g}; it is the pixels, 0 or more, by which edges of polygons may move, and "
                "needs a file for these"
            )

    def files(self) -> dict[str, Path]:
        """What is to be written, by kind."""
        named = {"labels": self.labels, "polygons": self.polygons, "confidence": self.confidence}
        return {kind: file for kind, file in {**named, "probabilities": self.probabilities}.items() if file}


@dataclass(frozen=True)
class RasterSummary:
    """What was found.

    Attributes:
        file: the raster.
        width: in pixels.
        height: in pixels.
        measured: the share of its pixels that are not nodata, 0..1.
        shares: each class's share of these, 0..1.
        square_metres: each class's area; None where the raster does not say where it lies.
        seconds: of this process.
        files: written, by kind.
    """

    file: str
    width: int
    height: int
    measured: float
    shares: dict[str, float]
    square_metres: dict[str, float] | None
    seconds: float
    files: dict[str, str] = field(default_factory=dict)


def segment_raster(
    segmenter: Segmenter,
    name: str | Path,
    outputs: Outputs,
    *,
    tile: int = TILE,
    overlap: int = OVERLAP,
    d4: bool = False,
    share: Share = (0, 1),
    progress: Progress = lambda done, total: None,
) -> RasterSummary | None:
    """Segment a raster of any size in tiles that fade into each other, in its own resolution.

    What is finished is kept beside the result, so that a run that was broken off goes on when it is repeated, and gives
    the same bytes. Scales and mirror images are those of `segmenter.testing`.

    Args:
        segmenter: does the work.
        name: a path, or an address that GDAL reads (https://, s3://, ...).
        outputs: where to write what.
        tile: side in pixels, a multiple of 32; not smaller than the crops of the training is best.
        overlap: of neighbouring tiles in pixels.
        d4: whether tiles are looked at in all eight views, turned and mirrored.
        share: which part of the strips this process makes, and of how many: (0, 1) makes all. The results do not depend
            on it. Whoever finishes the last strip writes the outputs.
        progress: called with the strips that are done, and how many there are.

    Returns:
        What was found; None when other processes still work on their strips, or all outputs are there already.

    Raises:
        SegNextError: when the raster cannot be read, has other bands than the weights take, or there is no room.
    """
    started = time.perf_counter()
    if aligns_corners(segmenter.config):
        raise SegNextError("the logits of these weights are enlarged from corner to corner; tiles of them do not fit")
    if segmenter.labels.multi_label:
        raise SegNextError("these weights are multi-label; a raster of labels has one class per pixel")
    asked = outputs.confidence is not None, outputs.probabilities is not None
    wanted = Wanted.of(segmenter.testing, segmenter.config, *asked, d4=d4)
    with RasterFile(name, segmenter.preprocess.bands) as raster:
        _require_apart(raster, outputs)
        config = segmenter.config
        grid = Grid(raster.height, raster.width, config.logits_stride, tile, overlap, config.strides[-1])
        settings = _settings(segmenter, raster, grid, wanted)
        if _finished(outputs, settings):
            Parts.forget(outputs.labels, settings)
            return None
        parts = Parts.open(outputs.labels, len(grid.rows), settings)
        if _finished(outputs, settings):  # by another process, which has removed the parts just now
            parts.remove()
            return None
        first, last = (parts.count * (share[0] + end) // share[1] for end in (0, 1))
        with alone(parts.folder, share):
            while True:
                for numbers in _runs([number for number in parts.missing() if first <= number < last]):
                    for _ in map(parts.write, strips(segmenter, raster, grid, numbers, wanted)):  # keeps none of them
                        progress(parts.count - len(parts.missing()), parts.count)
                if parts.missing():
                    return None
                with joining(parts.folder) as there, suppress(DamagedStripError):  # it is missing now
                    if not there:
                        if not _finished(outputs, settings):
                            raise SegNextError(f"{parts.folder}: was removed, with the strips; run the command again")
                        return None
                    summary = _write(parts, raster, outputs, segmenter, settings, started)
                    parts.remove()
                    return summary


def _write(
    parts: Parts, raster: RasterFile, outputs: Outputs, segmenter: Segmenter, settings: dict[str, Any], started: float
) -> RasterSummary:
    """The outputs from all strips: each written beside the strips, then moved to its place."""
    labels, census = segmenter.labels, Census(raster)
    made: list[tuple[Path, Path]] = []
    for kind, file in outputs.files().items():
        part = parts.folder / f"{kind}{file.suffix}"
        part.unlink(missing_ok=True)
        run = _run(kind, outputs, settings)
        if kind == "labels":
            write_labels(part, census.counted(parts.layers("labels")), raster, labels, run)
        elif kind == "polygons":
            found = areas(parts.layers("labels"), labels.ignore)
            write_polygons(part, found, raster.transform, raster.crs, labels, outputs.simplify, run)
        else:
            names = list(labels.classes) if kind == "probabilities" else ["confidence"]
            write_shares(part, parts.layers(kind), raster, names, run)
        made.append((part, file))
    for part, file in made:
        file.parent.mkdir(parents=True, exist_ok=True)
        _move(part, file)
    return census.summary(raster, outputs, labels, started)


class Census:
    """The pixels of each label, and the ground under them.

    Args:
        raster: on whose grid the labels are.
    """

    def __init__(self, raster: RasterFile) -> None:
        self._ground = Ground(raster.crs, raster.transform, raster.height, raster.width)
        self._counts, self._metres = np.zeros(256, np.int64), np.zeros(256)

    def counted(self, strips: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """The strips (H, W), from the top to the bottom, each counted as it goes by."""
        top = 0
        for strip in strips:
            for row, line in enumerate(strip, top):
                self._counts += np.bincount(line, minlength=256)
                if self._ground.known:
                    self._metres += np.bincount(line, self._ground.row(row), 256)
            top += len(strip)
            yield strip

    def summary(self, raster: RasterFile, outputs: Outputs, labels: Labels, started: float) -> RasterSummary:
        """Of all labels, once they are counted; `started` is when this process began, by `time.perf_counter`."""
        counts = {label: int(self._counts[label]) for label in range(256) if label != labels.ignore}
        measured, metres = sum(counts.values()), self._metres
        return RasterSummary(
            raster.name,
            raster.width,
            raster.height,
            measured / (raster.height * raster.width),
            {name: counts[label] / max(measured, 1) for label, name in enumerate(labels.classes)},
            {name: float(metres[label]) for label, name in enumerate(labels.classes)} if self._ground.known else None,
            time.perf_counter() - started,
            {kind: str(file) for kind, file in outputs.files().items()},
        )


def summary_of_finished(segmenter: Segmenter, name: str | Path, outputs: Outputs) -> RasterSummary:
    """What `segment_raster` found, by the labels that it has written.

    Raises:
        SegNextError: when the raster or its labels cannot be read.
    """
    started = time.perf_counter()
    with RasterFile(name, segmenter.preprocess.bands) as raster, open_raster(str(outputs.labels)) as labels:
        census = Census(raster)
        tops = range(0, raster.height, ROWS)
        windows = (Window(0, top, raster.width, min(ROWS, raster.height - top)) for top in tops)
        for _ in census.counted(labels.read(1, window=window) for window in windows):
            pass
        return census.summary(raster, outputs, segmenter.labels, started)


def _move(part: Path, file: Path) -> None:
    """Rename, or copy where `file` is on another disk."""
    try:
        part.replace(file)
    except OSError:
        with replacing(file) as temporary:
            shutil.copyfile(part, temporary)


def _require_apart(raster: RasterFile, outputs: Outputs) -> None:
    """Refuse to write over the raster itself, two outputs into one file, or where nothing can be written.

    Raises:
        SegNextError: saying so, before hours of work rather than after them.
    """
    files = [file.resolve() for file in outputs.files().values()]
    if len(set(files)) < len(files):
        raise SegNextError("two outputs have the same name; give each its own")
    if not ADDRESS.match(raster.name) and Path(raster.name).resolve() in files:
        raise SegNextError(f"{raster.name}: is the raster itself; choose another --out")
    for file in outputs.files().values():
        called(file)
        with writing(file.parent):
            if not os.access(file.parent, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _settings(segmenter: Segmenter, raster: RasterFile, grid: Grid, wanted: Wanted) -> dict[str, Any]:
    """All that the strips depend on."""
    engine = segmenter.engine
    return {
        "raster": digest([raster.height, raster.width, *identity(raster.name)]),
        "weights": segmenter.weights().digest,
        "engine": [engine.name, engine.precision, engine.streams],
        "tile": grid.tile,
        "overlap": grid.overlap,
        "outputs": {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(wanted).items()},
    }


def _finished(outputs: Outputs, settings: dict[str, Any]) -> bool:
    """Whether the outputs are there, made with these settings.

    Raises:
        SegNextError: when there is something else, which is never written over.
    """
    there = {kind: file for kind, file in outputs.files().items() if file.exists()}
    for kind, file in there.items():
        made = polygons_of(file) if kind == "polygons" else run_of(file)
        if made != _run(kind, outputs, settings):
            raise SegNextError(f"{file}: is there already, from another run; delete it or choose another place")
    return len(there) == len(outputs.files())


def _run(kind: str, outputs: Outputs, settings: dict[str, Any]) -> str:
    """What stands for all that an output depends on."""
    return digest({**settings, "simplify": outputs.simplify} if kind == "polygons" else settings)


def _runs(numbers: list[int]) -> Iterator[range]:
    """Ascending numbers as ranges without gaps."""
    start = 0
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] != numbers[end - 1] + 1:
            yield range(numbers[start], numbers[end - 1] + 1)
            start = end
