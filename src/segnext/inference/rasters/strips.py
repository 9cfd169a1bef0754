"""The tiles of a raster through the network, and out come finished strips of labels, from the top to the bottom."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.inference.ahead import ahead, threads
from segnext.inference.engines.engine import Engine
from segnext.inference.prepare import prepare
from segnext.inference.rasters.blend import Blend, Logits
from segnext.inference.rasters.grid import Grid
from segnext.inference.rasters.source import Raster
from segnext.inference.rasters.views import looks, mean_logits
from segnext.inference.testing import Testing
from segnext.kernels.average import Look, mean_probabilities
from segnext.kernels.classify import classify
from segnext.labels import Labels
from segnext.model.config import NetworkConfig, aligns_corners
from segnext.preprocess import Preprocess

LEVELS = 254  # a probability of 1; 255 stands for nodata
PIECE = 64  # rows whose probabilities are found at a time


class Pipeline(Protocol):
    """What is needed of a segmenter: the network, what runs it, how pictures are prepared, what labels mean."""

    engine: Engine
    config: NetworkConfig
    preprocess: Preprocess
    labels: Labels


@dataclass(frozen=True)
class Wanted:
    """What is made of a raster, besides labels.

    Attributes:
        confidence: whether the probability of each label.
        probabilities: whether those of all classes.
        scales: at which tiles are looked at.
        views: the symmetries of the square in which tiles are looked at, of 0..7; see `views.turned`.
    """

    confidence: bool = False
    probabilities: bool = False
    scales: tuple[float, ...] = (1.0,)
    views: tuple[int, ...] = (0,)

    @classmethod
    def of(
        cls, testing: Testing, config: NetworkConfig, confidence: bool = False, probabilities: bool = False
    ) -> "Wanted":
        """What a way of testing asks for of a network.

        Raises:
            SegNextError: when it slides windows, which tiles are already, or the network's logits do not fit together.
        """
        if aligns_corners(config):
            raise SegNextError(
                "the logits of these weights are enlarged from corner to corner (align_corners), so that tiles of them "
                "do not fit together; give pictures one by one, with a folder as --out"
            )
        if testing.slide is not None:
            raise SegNextError(
                "a raster is looked at in tiles already; leave out --slide, and see --tile and --overlap"
            )
        return cls(confidence, probabilities, testing.scales, (0, 4) if testing.flip else (0,))


class Strip(NamedTuple):
    """Rows of a raster that are finished.

    Attributes:
        number: which strip, from 0.
        rows: of the raster.
        layers: "labels" (H, W), the ignore label where nothing was measured; "confidence" (H, W) and "probabilities"
            (classes, H, W), where wanted, in steps of 1/254, 255 where nothing was measured; all uint8.
    """

    number: int
    rows: slice
    layers: dict[str, NDArray[np.uint8]]


class Tile(NamedTuple):
    """A tile as it was read, and what the network says; `logits` is None where nothing was measured."""

    row: int
    column: int
    valid: NDArray[np.bool_]
    x: NDArray[np.float32] | None = None
    logits: Logits | None = None


def strips(
    pipeline: Pipeline, raster: Raster, grid: Grid, numbers: range, wanted: Wanted, columns: range | None = None
) -> Iterator[Strip]:
    """The strips `numbers`, in order; each is the same whichever others are asked for.

    Only the `columns` of tiles are looked at, if they are given; what lies between them is right then.
    One thread reads tiles ahead, as many as the engine has streams run the network; sums are made in the tiles' order.
    """
    if not numbers:
        return
    first, columns = grid.first_row(numbers[0]), columns or range(len(grid.columns))
    places = ((row, column) for row in range(first, numbers[-1] + 1) for column in columns)
    ready = grid.rows[numbers[0]].start // grid.step - 1
    blend = Blend(grid.columns[-1].stop // grid.step, len(pipeline.labels), max(ready, 0))
    above = np.zeros((0, grid.width), np.bool_)
    with threads(1, "read") as reading, threads(pipeline.engine.streams, "look") as working:
        tiles = ahead(reading, partial(_read, pipeline, raster, grid), places, 2 * pipeline.engine.streams)
        done = ahead(working, partial(_look, pipeline, wanted), tiles, pipeline.engine.streams + 1)
        for row in range(first, numbers[-1] + 1):
            span = grid.rows[row]
            valid = np.zeros((min(span.stop, grid.height) - span.start, grid.width), np.bool_)
            for _ in columns:
                tile = next(done)
                _add(blend, valid, tile, grid)
            if row in numbers:
                yield _finish(blend, np.concatenate([above, valid]), row, grid, pipeline.labels.ignore, wanted)
            last = row == len(grid.rows) - 1
            above = valid[:0] if last else valid[: grid.rows[row + 1].start - span.start][-(grid.step // 2) :]


def _read(pipeline: Pipeline, raster: Raster, grid: Grid, place: tuple[int, int]) -> Tile:
    row, column = place
    rows, columns = grid.rows[row], grid.columns[column]
    image, valid = raster.read(rows, columns)
    if not valid.any():
        return Tile(row, column, valid)
    x = prepare(image, pipeline.preprocess, (rows.stop - rows.start, columns.stop - columns.start))
    height, width = valid.shape
    x[0, :height, :width][~valid] = 0
    return Tile(row, column, valid, x)


def _look(pipeline: Pipeline, wanted: Wanted, tile: Tile) -> Tile:
    if tile.x is None:
        return tile
    stride = pipeline.config.strides[-1]
    seen = [back(pipeline.engine(x[None])) for x, back in looks(tile.x[0], wanted.scales, wanted.views, stride)]
    return tile._replace(x=None, logits=mean_logits(seen))


def _add(blend: Blend, valid: NDArray[np.bool_], tile: Tile, grid: Grid) -> None:
    rows, columns = grid.rows[tile.row], grid.columns[tile.column]
    height, width = tile.valid.shape
    valid[:height, columns.start : columns.start + width] = tile.valid
    if tile.logits is not None:
        down, across = grid.fade(rows, grid.rows), grid.fade(columns, grid.columns)
        blend.add(rows.start // grid.step, columns.start // grid.step, tile.logits, down, across)


def _finish(blend: Blend, valid: NDArray[np.bool_], number: int, grid: Grid, ignore: int, wanted: Wanted) -> Strip:
    """The strip that is finished with row `number` of tiles; `valid` begins with the strip."""
    rows = grid.strip(number)
    last = number == len(grid.rows) - 1
    bottom = grid.rows[number].stop if last else grid.rows[number + 1].start
    top = blend.top
    logits = blend.take(bottom // grid.step, keep=1)
    height = rows.stop - rows.start
    layers = {"labels": np.empty((height, grid.width), np.uint8)}
    if wanted.confidence:
        layers["confidence"] = np.empty((height, grid.width), np.uint8)
    if wanted.probabilities:
        layers["probabilities"] = np.empty((logits.shape[2], height, grid.width), np.uint8)
    for start in range(rows.start, rows.stop, PIECE):
        piece = slice(start, min(start + PIECE, rows.stop))
        place = slice(start - rows.start, piece.stop - rows.start)
        _decide(*_around(logits, top, piece, grid), {name: layer[..., place, :] for name, layer in layers.items()})
    missing = ~valid[:height]
    for name, layer in layers.items():
        layer[..., missing] = ignore if name == "labels" else LEVELS + 1
    return Strip(number, rows, layers)


def _around(logits: Logits, top: int, rows: slice, grid: Grid) -> tuple[Look, int, tuple[int, int]]:
    """The logits that pixels `rows` lie between, rows of pixels above these, and the size with them."""
    half, step = grid.step // 2, grid.step
    first = max((rows.start - half) // step, 0)
    last = min((rows.stop - 1 - half) // step + 1, top + len(logits) - 1)
    part = logits[first - top : last + 1 - top]
    covered = float(len(part) * step), float(part.shape[1] * step)
    return Look(part, covered), rows.start - first * step, (rows.stop - first * step, grid.width)


def _decide(look: Look, skip: int, size: tuple[int, int], layers: dict[str, NDArray[np.uint8]]) -> None:
    """Fill `layers` with what `look` says, but for its first `skip` rows."""
    labels, confidence = classify(look.logits, look.covered, size, confidence="confidence" in layers)
    layers["labels"][:] = labels[skip:]
    if confidence is not None:
        layers["confidence"][:] = np.rint(confidence[skip:] * LEVELS)
    if "probabilities" in layers:
        layers["probabilities"][:] = np.rint(mean_probabilities([look], size)[:, skip:] * LEVELS)
