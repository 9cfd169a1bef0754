"""TIFFs whose bands are no picture's."""

from pathlib import Path

import numpy as np
import pytest
from raster_files import write_tiff

from segnext.errors import SegNextError
from segnext.imageio import read_image


@pytest.mark.parametrize("band", ["near infrared", "two levels", "edge", "constant"])
def test_a_last_band_that_is_no_transparency_is_refused(tmp_path: Path, band: str) -> None:
    """GDAL tags any fourth band of 8 bits as alpha."""
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (32, 32, 4), np.uint8)
    if band == "two levels":
        values[..., 3] = np.where(values[..., 3] < 100, 40, 200)
    elif band == "edge":
        values[..., 3] = 0
        values[:, 16:, 3] = 255
        values[:, 15, 3] = random.integers(0, 256, 32)
    elif band == "constant":
        values[..., 3] = 200
    path = write_tiff(tmp_path / "a.tif", values)
    if band in ("edge", "constant"):
        assert read_image(path).shape == (32, 32, 3)
    else:
        with pytest.raises(SegNextError, match=r"a\.tif: has 4 bands, .* no transparency; .*'bands: \[red, green"):
            read_image(path)


def test_what_a_float_raster_calls_not_measured_does_not_stretch_it(tmp_path: Path) -> None:
    values = np.linspace(100, 1100, 64, dtype=np.float32).reshape(8, 8, 1)
    values[0, 0, 0] = -9999
    write_tiff(tmp_path / "a.tif", values, nodata=-9999)
    image = read_image(tmp_path / "a.tif")
    assert image[0, 0, 0] == 0
    assert np.ptp(image[..., 0]) == 255
    assert int(image[3, 7, 0]) == pytest.approx(122, abs=4)
