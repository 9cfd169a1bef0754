"""Bands are measured once, over the training split, in the units of the data."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from raster_files import write_tiff

from segnext.data import band_stats
from segnext.data.band_stats import combined, fitted_preprocess, moments
from segnext.data.folder import Folder
from segnext.errors import SegNextError
from segnext.preprocess import Bands, Preprocess

CLASSES = "classes: [{name: a, color: [0, 0, 0]}, {name: b, color: [9, 9, 9]}]\n"


def dataset(root: Path, pictures: list[NDArray[Any]], bands: str = "bands: [red, nir]\n") -> Folder:
    """Training pictures as TIFF, with masks of class 0."""
    (root / "masks/train").mkdir(parents=True)
    for number, values in enumerate(pictures):
        write_tiff(root / f"images/train/{number}.tif", values)
        Image.new("L", values.shape[1::-1]).save(root / f"masks/train/{number}.png")
    (root / "dataset.yaml").write_text(CLASSES + bands)
    return Folder.open(root)


def fit(folder: Folder, **changes: Any) -> Preprocess:
    return fitted_preprocess(folder, folder.pairs("train"), **changes)


PICTURES = [
    np.array([[[1000, 5]], [[3000, 7]]], np.uint16),
    np.array([[[2000, 9], [6000, 0]]], np.uint16),
]


def test_mean_and_deviation_by_hand(tmp_path: Path) -> None:
    preprocess = fit(dataset(tmp_path, PICTURES), short_side=64)
    assert preprocess.mean == pytest.approx((3000, 5.25))
    assert preprocess.std == pytest.approx((np.sqrt(3.5e6), np.sqrt(11.1875)))
    assert preprocess.short_side == 64
    assert preprocess.bands == Bands(("red", "nir"), ("red", "nir"), None, "uint16")


def test_what_was_not_measured_does_not_count(tmp_path: Path) -> None:
    preprocess = fit(dataset(tmp_path, PICTURES, "bands: [red, nir]\nnodata: 0\n"))
    assert preprocess.mean == pytest.approx((3000, 7))
    assert preprocess.std[1] == pytest.approx(np.sqrt(8 / 3))


def test_moments_of_parts_are_those_of_the_whole() -> None:
    values = (np.random.default_rng(0).normal(290, 0.1, (50, 40, 3))).astype(np.float32)  # kelvin: far from zero
    values[3, :, 1] = np.nan
    total = np.zeros((3, 3))
    for part in (values[:1], values[1:4], values[4:]):
        total = combined(total, moments(part))
    count, mean, squares = total
    assert count.tolist() == [2000, 1960, 2000]
    exact = values.astype(np.float64)
    np.testing.assert_allclose(mean, np.nanmean(exact, (0, 1)), rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(squares / count), np.nanstd(exact, (0, 1)), rtol=1e-9)


def test_they_are_kept_and_used_until_the_files_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dataset(tmp_path, PICTURES)
    first = fit(folder)
    kept = json.loads((tmp_path / "bands.json").read_text())
    assert (kept["bands"], kept["dtype"], kept["pictures"]) == (["red", "nir"], "uint16", 2)
    with monkeypatch.context() as patch:
        patch.setattr(band_stats, "moments", None)  # nothing is measured
        assert fit(folder) == first
        assert fit(folder, chosen=["nir"]).mean == first.mean[1:]
    os.utime(tmp_path / "images/train/0.tif", ns=(0, 0))
    seen: list[tuple[int, int]] = []
    assert fit(folder, watch=lambda done, total: seen.append((done, total))) == first
    assert seen == [(1, 2), (2, 2)]
    (tmp_path / "bands.json").write_text("{ damaged")
    assert fit(folder) == first
    (tmp_path / "dataset.yaml").write_text(CLASSES + "bands: [nir, red]\n")
    assert fit(Folder.open(tmp_path)).bands == Bands(("nir", "red"), ("nir", "red"), None, "uint16")


def test_data_that_cannot_be_written_to_are_measured_all_the_same(tmp_path: Path) -> None:
    folder = dataset(tmp_path, PICTURES)
    (tmp_path / "bands.json").mkdir()  # takes the name, whoever runs the test
    assert fit(folder).mean == pytest.approx((3000, 5.25))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bands.json", "dataset.yaml", "images", "masks"]


def test_ordinary_pictures_have_imagenets_constants(tmp_path: Path) -> None:
    folder = dataset(tmp_path, [np.zeros((4, 4, 3), np.uint8)], "")
    assert fit(folder, short_side=32) == Preprocess(short_side=32)
    assert not (tmp_path / "bands.json").exists()


@pytest.mark.parametrize(("count", "dtype"), [(5, "uint8"), (4, "uint16"), (4, "float32"), (13, "int16")])
def test_bands_that_have_no_names_are_not_lost_unnoticed(tmp_path: Path, count: int, dtype: str) -> None:
    folder = dataset(tmp_path, [np.ones((4, 4, count)).astype(dtype)], "")
    with pytest.raises(SegNextError, match=rf"0\.tif: has {count} bands of .*; add 'bands: \[band1, .*band{count}\]'"):
        fit(folder)


def test_choices_that_cannot_be(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "a", PICTURES)
    for chosen in (["green"], ["red", "red"], []):
        with pytest.raises(SegNextError, match=r"choose each once from those in .*dataset\.yaml: red, nir"):
            fit(folder, chosen=chosen)
    plain = dataset(tmp_path / "b", [np.zeros((4, 4, 3), np.uint8)], "")
    with pytest.raises(SegNextError, match=r"dataset\.yaml: names no bands to choose red from"):
        fit(plain, chosen=["red"])


def test_files_that_differ_are_named(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "a", [*PICTURES, np.ones((2, 2, 3), np.uint16)])
    with pytest.raises(SegNextError, match=r"2\.tif: has 3 bands, but 2 bands \(red, nir\) are expected"):
        fit(folder)
    folder = dataset(tmp_path / "b", [*PICTURES, np.ones((2, 2, 2), np.uint8)])
    with pytest.raises(SegNextError, match=r"2\.tif: holds values of type uint8, training had uint16"):
        fit(folder)


def test_a_band_without_variation_is_refused(tmp_path: Path) -> None:
    folder = dataset(tmp_path, [np.array([[[1, 3], [2, 3]]], np.uint16)])
    with pytest.raises(SegNextError, match="band 'nir' has one value everywhere"):
        fit(folder)
    assert fit(folder, chosen=["red"]).std == (0.5,)
