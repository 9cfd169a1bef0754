"""Where windows lie."""

from itertools import pairwise

import numpy as np
import pytest

from segnext.inference.tiling import Grid, spans


@pytest.mark.parametrize(
    ("length", "crop", "stride", "expected"),
    [
        (2048, 1024, 768, [(0, 1024), (768, 1792), (1024, 2048)]),  # Cityscapes, along a row
        (1024, 1024, 768, [(0, 1024)]),
        (100, 256, 192, [(0, 100)]),  # shorter than a window
        (256, 64, 64, [(0, 64), (64, 128), (128, 192), (192, 256)]),  # side by side, nothing to move
        (130, 64, 64, [(0, 64), (64, 128), (66, 130)]),
        (65, 64, 64, [(0, 64), (1, 65)]),
        (3, 1, 1, [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_spans_by_hand(length: int, crop: int, stride: int, expected: list[tuple[int, int]]) -> None:
    assert [(span.start, span.stop) for span in spans(length, crop, stride)] == expected


@pytest.mark.parametrize(("crop", "stride"), [(1, 1), (8, 5), (32, 17), (64, 64)])
def test_every_pixel_is_covered_and_no_tile_leaves_the_picture(crop: int, stride: int) -> None:
    for height, width in ((1, 70), (31, 33), (64, 64), (97, 65)):
        grid = Grid(height, width, 1, crop, crop - stride, 1)
        seen = np.zeros((height, width), int)
        for rows in grid.rows:
            for columns in grid.columns:
                assert (rows.stop - rows.start, columns.stop - columns.start) == grid.size
                seen[rows, columns] += 1
        assert grid.size == (min(crop, height), min(crop, width))
        assert seen.shape == (height, width)
        assert seen.min() >= 1


def test_windows_advance_by_the_stride_at_most() -> None:
    starts = [span.start for span in spans(1000, 96, 40)]
    steps = [after - before for before, after in pairwise(starts)]
    assert steps[:-1] == [40] * (len(steps) - 1)
    assert 0 < steps[-1] <= 40


@pytest.mark.parametrize(("length", "crop", "stride"), [(0, 8, 8), (8, 0, 1), (8, 8, 0), (8, 8, 9)])
def test_what_cannot_cover_is_refused(length: int, crop: int, stride: int) -> None:
    with pytest.raises(ValueError, match="cannot cover"):
        list(spans(length, crop, stride))
