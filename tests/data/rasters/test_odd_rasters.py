"""Training rasters that no one can use, and those that are mended meanwhile."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import LABELS, picture
from raster_files import write_tiff
from rasterio.transform import Affine

from segnext.data.coding import Window
from segnext.data.rasters.listing import Source
from segnext.data.rasters.scene import Scene
from segnext.errors import SegNextError

SOMEWHERE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)


def test_files_that_are_mended_are_read_anew(tmp_path: Path) -> None:
    source = Source(tmp_path / "a.tif", tmp_path / "labels.tif")
    write_tiff(source.image, picture(32, 32), transform=SOMEWHERE)
    for label in (1, 2):
        values = np.full((32, 32 * label, 1), label, np.uint8)[:, :32]
        (tmp_path / "labels.tif").unlink(missing_ok=True)
        write_tiff(tmp_path / "labels.tif", values, transform=SOMEWHERE, compress="deflate" if label == 2 else "none")
        assert (Scene(source, None).mask(Window(0, 0, 32, 32), LABELS) == label).all()


def test_grids_and_numbers_that_mean_nothing_are_a_sentence(tmp_path: Path) -> None:
    flat = write_tiff(tmp_path / "a.tif", picture(32, 32), transform=Affine(0, 0, 1, 0, 0, 1), crs="EPSG:32631")
    with pytest.raises(SegNextError, match=r"a\.tif: its transform makes a line or a point of it"):
        Scene(Source(flat, flat), None)
    profile = {"driver": "GTiff", "height": 8, "width": 8, "count": 1, "transform": SOMEWHERE}
    with rasterio.open(tmp_path / "b.tif", "w", **profile, dtype="complex_int16"):
        pass
    with pytest.raises(SegNextError, match=r"b\.tif: holds values of type complex_int16"):
        Scene(Source(tmp_path / "b.tif", flat), None)
