"""A raster with its labels, read window by window."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.bands import GDAL_DRIVERS, require_bands, select
from segnext.data.coding import Window
from segnext.data.folder import Pair
from segnext.data.masks import Mask
from segnext.data.rasters.listing import Source
from segnext.data.rasters.shapes import (
    Shapes,
    burn,
    enlarged,
    inside,
    moved,
    read_shapes,
    to_pixels,
    version,
)
from segnext.errors import SegNextError
from segnext.files import require_regular
from segnext.gdal import called, reading, to_ground, type_of, warped
from segnext.labels import Labels
from segnext.preprocess import Bands, Raster
from segnext.preprocess import Image as Picture
from segnext.words import counted

DRIVERS = (*GDAL_DRIVERS, "PNG", "JPEG")
NEAR = 1e-3  # pixels by which two grids may differ
COARSE = 1024  # pixels along the longer side of the map of what was measured
_open = threading.local()  # a file belongs to its thread


@dataclass(frozen=True)
class RasterPair(Pair):
    """A window of a scene; `image`, `mask` and `window` say which."""

    scene: "Scene | None" = field(default=None, compare=False)

    def read_image(self, bands: Bands | None = None) -> Picture | Raster:
        """See `Pair`; without `bands`, of a raster of named ones, all as they are stored."""
        assert self.scene is not None
        assert self.window is not None
        return self.scene.image(self.window, bands)

    def read_mask(self, labels: Labels) -> Mask:
        """See `Pair`."""
        assert self.scene is not None
        assert self.window is not None
        return self.scene.mask(self.window, labels)

    def dtype(self) -> str:
        """See `Pair`."""
        assert self.scene is not None
        return str(self.scene.dtype)


class Scene:
    """A raster with its labels.

    Args:
        source: the files.
        bands: what the raster's bands are; None for RGB pictures of 8 bits.

    Attributes:
        source: as given.
        height, width, crs, transform, dtype: of the raster, as rasterio tells them.

    Raises:
        SegNextError: when a file cannot be read, has other bands, or labels lie on another grid.
    """

    def __init__(self, source: Source, bands: Bands | None) -> None:
        self.source, self.bands = source, bands
        with opened(source.image) as raster:
            self.height, self.width = raster.shape
            self.crs, self.transform = raster.crs, raster.transform
            self.dtype, self.count = str(type_of(raster, source.image)), raster.count
        if not self.transform.determinant:
            raise SegNextError(f"{source.image}: its transform makes a line or a point of it; write the right one")
        if bands is not None:
            require_bands(self.count, np.dtype(self.dtype), bands, str(source.image))
        elif self.dtype != "uint8" or self.count not in (1, 3, 4):
            raise SegNextError(
                f"{source.image}: has {self.count} bands of type {self.dtype}, but dataset.yaml names none; add "
                "'bands: [...]' with their names in the files' order"
            )
        if source.labels is not None:
            self._require_grid(source.labels)

    def _require_grid(self, file: Path) -> None:
        with opened(file) as other:
            if other.crs != self.crs:
                raise SegNextError(
                    f"{file}: is in {_named(other.crs)}, its picture in {_named(self.crs)}; warp it to that"
                )
            if other.shape != (self.height, self.width):
                raise SegNextError(
                    f"{file}: is {other.width} x {other.height} pixels, its picture {self.width} x {self.height}; "
                    "cut or warp it to the same grid"
                )
            corners = np.array([(0, 0), (self.width, self.height)], float)
            places = to_pixels(self.transform, to_ground(other.transform, corners))
            if np.abs(places - corners).max() > NEAR:
                x, y = places[0]
                raise SegNextError(
                    f"{file}: its grid is shifted or scaled, its corner lies at column {x:.2f} and row {y:.2f} of its "
                    "picture; warp it to the same grid"
                )
            kind = type_of(other, file)
            if kind.kind not in "ui" or other.count != 1:
                raise SegNextError(
                    f"{file}: has {counted(other.count, 'band')} of type {kind}; labels are one band of whole numbers"
                )

    def windows(self, block: int, step: int) -> Iterator[Window]:
        """Windows of block x block pixels that begin every `step`, the last of a row or column moved inwards.

        Those in which nothing was measured, as far as a coarse look tells, are left out.
        """
        measured = self._coarse()
        for top in _starts(self.height, block, step):
            for left in _starts(self.width, block, step):
                window = Window(top, left, min(block, self.height), min(block, self.width))
                down, across = measured.shape[0] / self.height, measured.shape[1] / self.width
                rows = slice(int(top * down), int(np.ceil((top + window.height) * down)))
                columns = slice(int(left * across), int(np.ceil((left + window.width) * across)))
                if measured[rows, columns].any():
                    yield window

    def _coarse(self) -> NDArray[np.bool_]:
        """Where the raster was measured and pixels count, at a fraction of its resolution."""
        scale = min(1.0, COARSE / max(self.height, self.width))
        size = max(1, round(self.height * scale)), max(1, round(self.width * scale))
        with opened(self.source.image) as raster:
            measured = ~missing_in(raster, self.bands, None, size).all(2)
        grid = enlarged(self.transform, self.width / size[1], self.height / size[0])
        return measured & self._counted(Window(0, 0, self.height, self.width), size, grid)

    def image(self, window: Window, bands: Bands | None) -> Picture | Raster:
        """The pixels of a window; see `RasterPair.read_image`."""
        with opened(self.source.image) as raster:
            place = _place(window)
            if self.bands is None:
                numbers = [1, 1, 1] if self.count == 1 else [1, 2, 3]
                return np.ascontiguousarray(raster.read(numbers, window=place).transpose(1, 2, 0))
            values = raster.read(window=place).transpose(1, 2, 0)
            if bands is None:
                return np.ascontiguousarray(values)
            missing = missing_in(raster, self.bands, place, None, values)
        return select(values, np.broadcast_to(missing, values.shape), bands, str(self.source.image))

    def mask(self, window: Window, labels: Labels) -> Mask:
        """The labels of a window; the ignore label where nothing was measured, or pixels do not count.

        Raises:
            SegNextError: when a value is neither a class nor the ignore label.
        """
        mask = self.drawn(window, labels)
        mask[~(self.measured(window) & self._counted(window, mask.shape, self._grid(window)))] = labels.ignore
        return mask

    def drawn(self, window: Window, labels: Labels) -> Mask:
        """The labels of a window as they were drawn, also where nothing was measured."""
        return self._labels(window, labels) if self.source.labels else self._burnt(window, labels)

    def measured(self, window: Window) -> NDArray[np.bool_]:
        """Where a window was measured, in any band."""
        with opened(self.source.image) as raster:
            return np.asarray(~missing_in(raster, self.bands, _place(window), None).all(2))

    def overlaps(self, other: "Scene") -> bool:
        """Whether pixels that count in both lie on the same ground, as far as a coarse look tells."""
        if self.source.image.resolve() == other.source.image.resolve():
            return bool((self._coarse() & other._coarse()).any())
        if self.crs is None or other.crs is None:
            return False
        across, down = np.meshgrid(np.linspace(0, self.width, 9), np.linspace(0, self.height, 9))
        outline = self._places_in(other, np.column_stack((across.ravel(), down.ravel())))
        if (outline.max(0) <= 0).any() or (outline.min(0) >= (other.width, other.height)).any():
            return False
        return self._counts_in(other) or other._counts_in(self)

    def _counts_in(self, other: "Scene") -> bool:
        """Whether the middle of a pixel of the coarse look counts here and, with all around it, in the other raster."""
        mine, theirs = self._coarse(), cv2.erode(other._coarse().astype(np.uint8), np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero(mine)
        middles = (np.column_stack((columns, rows)) + 0.5) * (self.width, self.height) / mine.shape[::-1]
        places = np.floor(self._places_in(other, middles) * theirs.shape[::-1] / (other.width, other.height))
        x, y = places[((places >= 0) & (places < theirs.shape[::-1])).all(1)].astype(int).T
        return bool(theirs[y, x].any())

    def _places_in(self, other: "Scene", xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where places in pixels of this raster lie in pixels of another one; infinite where that cannot be said."""
        ground = to_ground(self.transform, xy)
        if self.crs != other.crs:
            ground = warped(ground, self.crs, other.crs)
        return to_pixels(other.transform, ground)

    def _grid(self, window: Window) -> Any:
        """From a window's pixels to the ground."""
        return moved(self.transform, window.left, window.top)

    def _labels(self, window: Window, labels: Labels) -> Mask:
        assert self.source.labels is not None
        with opened(self.source.labels) as raster:
            values = raster.read(1, window=_place(window))
            missing = raster.read_masks(1, window=_place(window)) == 0
        values = np.where(missing, labels.ignore, values)
        foreign = (values >= len(labels)) & (values != labels.ignore) | (values < 0)
        if foreign.any():
            raise SegNextError(
                f"{self.source.labels}: holds label {values[foreign][0]}, which is neither one of the {len(labels)} "
                f"classes (0 to {len(labels) - 1}) nor the ignore label {labels.ignore}; mend it or dataset.yaml"
            )
        mask: Mask = values.astype(np.uint8)
        return mask

    def _burnt(self, window: Window, labels: Labels) -> Mask:
        """The polygons' classes; those that come later in their file lie over earlier ones."""
        import shapely

        shapes, grid = self.polygons(), self._grid(window)
        background = self.source.background
        ground = labels.ignore if background is None else class_of(background, labels, self.source)
        mask = np.full((window.height, window.width), ground, np.uint8)
        near = shapes.near(self.area(window).buffer(self.source.buffer))
        found = np.ones(len(shapes.geometries), int) if shapes.values is None else shapes.values
        values = [class_of(found[number], labels, self.source) for number in near]
        burn(mask, shapes.geometries[near], values, grid)
        if self.source.buffer:
            edges = shapely.buffer(shapely.boundary(shapes.geometries[near]), self.source.buffer)
            burn(mask, edges, np.full(len(near), labels.ignore), grid)
        return mask

    def polygons(self) -> Shapes:
        """Those that say where the classes are."""
        assert self.source.polygons is not None
        return read_shapes(self.source.polygons, self.source.attribute, self.crs)

    def _counted(self, window: Window, size: tuple[int, int], grid: Any) -> NDArray[np.bool_]:
        """Where pixels count, by `inside` and `outside`."""
        counted = np.ones(size, np.bool_)
        for file, wanted in ((self.source.inside, True), (self.source.outside, False)):
            if file is not None:
                counted &= inside(read_shapes(file, None, self.crs), self.area(window), size, grid) == wanted
        return counted

    def area(self, window: Window) -> Any:
        """A window as a polygon in the raster's coordinates."""
        import shapely

        corners = np.array([(0, 0), (window.width, 0), (window.width, window.height), (0, window.height)], float)
        return shapely.Polygon(to_ground(self._grid(window), corners))


def class_of(value: Any, labels: Labels, source: Source) -> int:
    """The label of a class that is given by its name or its label.

    Raises:
        SegNextError: when there is no such class.
    """
    text = str(value)
    if text in labels.classes:
        return labels.classes.index(text)
    if isinstance(value, int | np.integer) and (0 <= value < len(labels) or value == labels.ignore):
        return int(value)
    raise SegNextError(
        f"{source.polygons}: '{text}' is neither a class of dataset.yaml nor its label; the classes are "
        f"{', '.join(labels.classes)}"
    )


def missing_in(
    raster: Any, bands: Bands | None, place: Any, size: tuple[int, int] | None, values: NDArray[Any] | None = None
) -> NDArray[np.bool_]:
    """Where bands were not measured, (H, W, bands or 1), by the file's nodata value or mask; of RGB, transparency too.

    Args:
        raster: an open file.
        bands: named ones, None for RGB; among named ones none is transparency, whatever the file calls it.
        place: the window, None for all.
        size: height and width to read it at, None for its own.
        values: (H, W, bands) of the window, if they were read already.
    """
    from rasterio.enums import MaskFlags

    flags = raster.mask_flag_enums[0]
    if raster.nodata is not None:
        if values is None:
            shape = None if size is None else (raster.count, *size)
            values = raster.read(window=place, out_shape=shape).transpose(1, 2, 0)
        nothing: NDArray[np.bool_] = values == raster.nodata if raster.nodata == raster.nodata else np.isnan(values)
        return nothing if bands is not None else np.asarray(nothing[..., :3].all(2, keepdims=True))
    if bands is not None and MaskFlags.alpha in flags:
        height, width = size or (raster.shape if place is None else (place.height, place.width))
        return np.zeros((height, width, 1), np.bool_)
    return np.asarray(raster.read_masks(1, window=place, out_shape=size) == 0)[..., None]


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """An open raster, kept open in its thread; errors become a sentence.

    Raises:
        SegNextError: when it cannot be read, or rasterio is not installed.
    """
    files: dict[Any, Any] = _open.__dict__
    with reading(file, GDAL_CACHEMAX=128 << 20):
        import rasterio

        key = version(file)
        if key not in files:
            if len(files) > 64:
                files.clear()
            require_regular(file, "a raster")
            files[key] = rasterio.DatasetReader(called(file), driver=list(DRIVERS))
        yield files[key]


def _place(window: Window) -> Any:
    from rasterio.windows import Window as Place

    return Place(window.left, window.top, window.width, window.height)


def _starts(length: int, block: int, step: int) -> list[int]:
    last = max(length - block, 0)
    return [min(start, last) for start in range(0, last + step, step)]


def _named(crs: Any) -> str:
    return "no coordinate system" if crs is None else crs.to_string()
