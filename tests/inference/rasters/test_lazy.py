"""Slices of a raster's labels are those of the whole."""

from typing import Any

import numpy as np
import pytest
from conftest import picture
from numpy.typing import NDArray
from raster_files import write_tiff
from rasterio.crs import CRS
from rasterio.transform import Affine

from segnext.errors import SegNextError
from segnext.inference.rasters.lazy import LazyLabels
from segnext.inference.segmenter import Segmenter

KEYS: list[Any] = [
    (slice(None), slice(None)),
    (slice(100, 140), slice(60, 90)),
    (slice(-1, None), slice(None, 1)),
    (slice(0, 200, 7), slice(150, 20, -3)),
    (5, slice(None)),
    (slice(None), -1),
    (63, 64),
    ...,
    (..., 3),
    (),
    (np.int64(7), np.uint8(9)),
    slice(124, 125),
    -1,
    (slice(10, 10), slice(None)),
]


@pytest.fixture(scope="module")
def lazy(segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> LazyLabels:
    ground = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    raster = write_tiff(tmp_path_factory.mktemp("r") / "in.tif", picture(231, 197), crs="EPSG:32631", transform=ground)
    return segmenter.raster(raster, tile=64, overlap=16)


@pytest.fixture(scope="module")
def whole(lazy: LazyLabels) -> NDArray[np.uint8]:
    return np.asarray(lazy)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_slices(lazy: LazyLabels, whole: NDArray[np.uint8], key: Any) -> None:
    np.testing.assert_array_equal(lazy[key], whole[key])


def test_it_says_what_it_is(lazy: LazyLabels, whole: NDArray[np.uint8]) -> None:
    assert (lazy.shape, lazy.ndim, len(lazy)) == (whole.shape, 2, 231)
    assert lazy.dtype == np.uint8
    assert lazy.crs == CRS.from_epsg(32631)
    assert repr(lazy).endswith("in.tif: 197 x 231>")


@pytest.mark.parametrize("key", ["a", (1, 2, 3), (slice(None), [1, 2]), None, True, (..., ...)])
def test_other_keys_are_refused(lazy: LazyLabels, key: Any) -> None:
    with pytest.raises(SegNextError, match="by rows and columns"):
        _ = lazy[key]


def test_outside_is_an_index_error(lazy: LazyLabels) -> None:
    with pytest.raises(IndexError, match="231 is outside 0 to 230"):
        _ = lazy[231]
