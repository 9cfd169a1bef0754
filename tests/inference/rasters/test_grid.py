"""Tiles cover a raster with weights above 0; strips cover it once."""

import numpy as np
import pytest

from segnext.errors import SegNextError
from segnext.inference.blend import Blend
from segnext.inference.tiling import Grid

SIZES = [(1, 1), (31, 33), (64, 64), (97, 211), (509, 67), (32, 2003), (640, 480)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(
    ("tile", "overlap", "step"), [(64, 16, 8), (64, 0, 8), (96, 64, 8), (64, 60, 4), (512, 128, 8)]
)
def test_strips_cover_all_rows_once(height: int, width: int, tile: int, overlap: int, step: int) -> None:
    grid = Grid(height, width, step, tile, overlap)
    covered = [row for number in range(len(grid.rows)) for row in range(height)[grid.strip(number)]]
    assert covered == list(range(height))
    assert all(grid.first_row(number) <= number for number in range(len(grid.rows)))


@pytest.mark.parametrize("length", [1, 32, 65, 509, 640])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 16), (64, 56), (96, 0)])
def test_every_position_has_weight_and_the_edges_the_whole(length: int, tile: int, overlap: int) -> None:
    grid = Grid(length, 1, 8, tile, overlap)
    total = np.zeros(grid.rows[-1].stop // 8)
    for span in grid.rows:
        fade = grid.fade(span, grid.rows)
        assert fade.min() > 0
        total[span.start // 8 : span.stop // 8] += fade
    assert total.min() > 0
    assert grid.fade(grid.rows[0], grid.rows)[0] == grid.fade(grid.rows[-1], grid.rows)[-1] == 1


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (50, 8), (64, 64), (64, -8), (64, 12)])
def test_tiles_that_do_not_fit_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(SegNextError, match=r"a tile must be a multiple of 32, and the overlap a multiple of 8"):
        Grid(100, 100, 8, tile, overlap)


def test_a_blend_is_the_weighted_mean() -> None:
    blend = Blend(width=3, classes=1)
    one = np.ones((2, 2, 1), np.float32)
    blend.add(0, 0, 1 * one, np.array([1, 0.5], np.float32), np.ones(2, np.float32))
    blend.add(1, 1, 3 * one, np.array([0.5, 1], np.float32), np.ones(2, np.float32))
    np.testing.assert_allclose(blend.means(2)[..., 0], [[1, 1, 0], [1, 2, 3]])  # 0 where no tile was
    blend.forget(1)
    assert blend.top == 1
    np.testing.assert_allclose(blend.means(3)[..., 0], [[1, 2, 3], [0, 3, 3]])
