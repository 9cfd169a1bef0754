"""The tiles of a raster through the network, and out come finished strips of labels, from the top to the bottom."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.inference.ahead import ahead, threads
from segnext.inference.blend import Blend, Logits
from segnext.inference.engines.engine import Engine, at_places
from segnext.inference.prepare import prepare
from segnext.inference.rasters.source import RasterFile
from segnext.inference.rasters.views import looks, mean_logits
from segnext.inference.testing import Testing
from segnext.inference.tiling import Grid
from segnext.kernels.average import Look, mean_probabilities
from segnext.kernels.decide import decide
from segnext.labels import Labels
from segnext.model.config import NetworkConfig, aligns_corners, require_scores
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
        cls,
        testing: Testing,
        config: NetworkConfig,
        confidence: bool = False,
        probabilities: bool = False,
        *,
        d4: bool = False,
    ) -> "Wanted":
        """What a way of testing asks for of a network; `d4` for all eight views, turned and mirrored.

        Raises:
            SegNextError: when it slides windows, which tiles are already, or the network's logits do not fit together.
        """
        require_scores(config, "the tiles of a raster")
        if aligns_corners(config):
            raise SegNextError(
                "the logits of these weights are enlarged from corner to corner (align_corners), so that tiles of them "
                "do not fit together; give pictures one by one, with a folder as --out"
            )
        if testing.slide is not None:
            raise SegNextError(
                "a raster is looked at in tiles already; leave out --slide, and see --tile and --overlap"
            )
        views = tuple(range(8)) if d4 else (0, 4) if testing.flip else (0,)
        return cls(confidence, probabilities, testing.scales, views)


class Strip(NamedTuple):
    """Rows of a raster that are finished.

    Attributes:
        number: which strip, from 0.
        rows: of the raster.
        layers: "labels" (H, W), the ignore label where nothing was measured; "confidence" (H, W) and "probabilities"
            (classes, H, W), where wanted, in steps of 1/254, 255 where nothing was measured; all uint8. Their memory is
            the next strip's too: what is to stay is copied before that is asked for.
    """

    number: int
    rows: slice
    layers: dict[str, NDArray[np.uint8]]


class Rows:
    """Room for what is known of the pixels of a strip, taken once: large arrays that come and go leave holes in memory.

    Args:
        grid: of the strips.
        classes: how many there are.
        wanted: what is made of them.

    Attributes:
        valid: where anything was measured, (H, W): as many rows above those of the tiles as reach into the strip.
    """

    def __init__(self, grid: Grid, classes: int, wanted: Wanted) -> None:
        shape = grid.size[0] + grid.step // 2, grid.width
        self.valid = np.zeros(shape, np.bool_)
        depths: dict[str, tuple[int, ...]] = {"labels": (), "confidence": (), "probabilities": (classes,)}
        asked = {"labels": True, "confidence": wanted.confidence, "probabilities": wanted.probabilities}
        self._layers = {name: np.empty((*depth, *shape), np.uint8) for name, depth in depths.items() if asked[name]}

    def layers(self, height: int) -> dict[str, NDArray[np.uint8]]:
        """Those of a strip of so many rows, in one piece each, to be filled."""
        found = {}
        for name, layer in self._layers.items():
            shape = *layer.shape[:-2], height, layer.shape[-1]
            found[name] = layer.ravel()[: math.prod(shape)].reshape(shape)
        return found


class Tile(NamedTuple):
    """A tile as it was read, and what the network says; `logits` is None where nothing was measured."""

    row: int
    column: int
    valid: NDArray[np.bool_]
    x: NDArray[np.float32] | None = None
    logits: Logits | None = None


def strips(
    pipeline: Pipeline, raster: RasterFile, grid: Grid, numbers: range, wanted: Wanted, columns: range | None = None
) -> Iterator[Strip]:
    """The strips `numbers`, in order; each is the same whichever others are asked for.

    Only the `columns` of tiles are looked at, if they are given; what lies between them is right then.
    One thread reads tiles ahead, as many as the engine has streams run the network; sums are made in the tiles' order.
    Of neighbours in a row several go through the network at once, each at its column's place in the batch.
    """
    if not numbers:
        return
    first, columns = grid.first_row(numbers[0]), columns or range(len(grid.columns))
    together = pipeline.engine.together(*grid.size, len(grid.columns))
    groups = [list(group) for _, group in groupby(columns, lambda column: column // together)]
    places = ((row, group) for row in range(first, numbers[-1] + 1) for group in groups)
    ready = grid.rows[numbers[0]].start // grid.step - 1
    tall = grid.size[0] // grid.step + 1  # a row of tiles, and what the strip below it begins between
    blend = Blend(grid.columns[-1].stop // grid.step, len(pipeline.labels), max(ready, 0), tall)
    room, above = Rows(grid, len(pipeline.labels), wanted), 0
    with threads(1, "read") as reading, threads(pipeline.engine.streams, "look") as working:
        tiles = ahead(reading, partial(_read, pipeline, raster, grid), places, 2 * pipeline.engine.streams)
        looked = ahead(working, partial(_look, pipeline, wanted, together), tiles, pipeline.engine.streams + 1)
        done = chain.from_iterable(looked)
        for row in range(first, numbers[-1] + 1):
            span = grid.rows[row]
            valid = room.valid[above : above + min(span.stop, grid.height) - span.start]
            valid[:] = False
            for _ in columns:
                _add(blend, valid, next(done), grid)
            if row in numbers:
                yield _finish(blend, room, row, grid, pipeline.labels.ignore)
            if row < len(grid.rows) - 1:
                end = above + grid.rows[row + 1].start - span.start
                kept = room.valid[max(end - grid.step // 2, above) : end]
                above = len(kept)
                room.valid[:above] = kept


def _read(pipeline: Pipeline, raster: RasterFile, grid: Grid, place: tuple[int, list[int]]) -> list[Tile]:
    row, columns = place
    return [_read_one(pipeline.preprocess, raster, grid, row, column) for column in columns]


def _read_one(preprocess: Preprocess, raster: RasterFile, grid: Grid, row: int, column: int) -> Tile:
    image, valid = raster.read(grid.rows[row], grid.columns[column])
    if not valid.any():
        return Tile(row, column, valid)
    (x,) = prepare(image, preprocess, grid.size)
    height, width = valid.shape
    x[:height, :width][~valid] = 0
    return Tile(row, column, valid, x)


def _look(pipeline: Pipeline, wanted: Wanted, together: int, tiles: list[Tile]) -> list[Tile]:
    measured = {tile.column: tile.x for tile in tiles if tile.x is not None}
    seen: dict[int, list[Logits]] = {column: [] for column in measured}
    stride = pipeline.config.strides[-1]
    each = (looks(x, wanted.scales, wanted.views, stride) for x in measured.values())
    for same in zip(*each, strict=True):  # the same look at all of them
        xs = {column % together: x for column, (x, _) in zip(measured, same, strict=True)}
        logits = at_places(pipeline.engine, xs, together)
        for column, (_, back) in zip(measured, same, strict=True):
            seen[column].append(back(logits[column % together]))
    found = {column: mean_logits(all_looks) for column, all_looks in seen.items()}
    return [tile._replace(x=None, logits=found.get(tile.column)) for tile in tiles]


def _add(blend: Blend, valid: NDArray[np.bool_], tile: Tile, grid: Grid) -> None:
    rows, columns = grid.rows[tile.row], grid.columns[tile.column]
    height, width = tile.valid.shape
    valid[:height, columns.start : columns.start + width] = tile.valid
    if tile.logits is not None:
        down, across = grid.fade(rows, grid.rows), grid.fade(columns, grid.columns)
        blend.add(rows.start // grid.step, columns.start // grid.step, tile.logits, down, across)


def _finish(blend: Blend, room: Rows, number: int, grid: Grid, ignore: int) -> Strip:
    """The strip that is finished with row `number` of tiles; what is known in `room` begins with the strip."""
    rows = grid.strip(number)
    last = number == len(grid.rows) - 1
    bottom = grid.rows[number].stop if last else grid.rows[number + 1].start
    logits = blend.means(bottom // grid.step)
    layers = room.layers(rows.stop - rows.start)
    for start in range(rows.start, rows.stop, PIECE):
        piece = slice(start, min(start + PIECE, rows.stop))
        place = slice(start - rows.start, piece.stop - rows.start)
        part = {name: layer[..., place, :] for name, layer in layers.items()}
        _fill(*_around(logits, blend.top, piece, grid), part)
        for name, layer in part.items():
            np.copyto(layer, ignore if name == "labels" else LEVELS + 1, where=~room.valid[place])
    blend.forget(bottom // grid.step - 1)
    return Strip(number, rows, layers)


def _around(logits: Logits, top: int, rows: slice, grid: Grid) -> tuple[Look, range]:
    """The logits that pixels `rows` lie between, and which rows these are of all that the logits cover."""
    half, step = grid.step // 2, grid.step
    first = max((rows.start - half) // step, 0)
    last = min((rows.stop - 1 - half) // step + 1, top + len(logits) - 1)
    part = logits[first - top : last + 1 - top]
    covered = float(len(part) * step), float(part.shape[1] * step)
    return Look(part, covered), range(rows.start - first * step, rows.stop - first * step)


def _fill(look: Look, rows: range, layers: dict[str, NDArray[np.uint8]]) -> None:
    """Fill `layers` with what `look` says of `rows`."""
    size = rows.stop, layers["labels"].shape[1]
    layers["labels"][:], confidence = decide([look], size, confidence="confidence" in layers, rows=rows)
    if confidence is not None:
        layers["confidence"][:] = np.rint(confidence * LEVELS)
    if "probabilities" in layers:
        layers["probabilities"][:] = np.rint(mean_probabilities([look], size, rows=rows) * LEVELS)
