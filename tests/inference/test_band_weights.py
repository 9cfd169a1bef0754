"""Weights of named bands segment files band by band."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import CONFIG, weights_like
from raster_files import write_tiff

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli import main
from segnext.errors import SegNextError
from segnext.evaluation.evaluate import require_same_bands
from segnext.inference.predict import predict_files
from segnext.inference.prepare import prepare, resized
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.inference.testing import Testing
from segnext.preprocess import Bands, Preprocess

BANDS = Bands(("red", "green", "blue", "nir"), ("nir", "red"), 0.0, "uint16")
PREPROCESS = Preprocess((3000.0, 1000.0), (500.0, 250.0), None, BANDS)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return dataclasses.replace(weights_like(dataclasses.replace(CONFIG, in_channels=2)), preprocess=PREPROCESS)


@pytest.fixture(scope="module")
def segmenter(weights: Weights) -> Segmenter:
    return Segmenter(weights, Runtime("torch", "cpu", "fp32"))


def scene(height: int = 40, width: int = 70, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Four bands with something in them, and a corner where nothing was measured."""
    random = np.random.default_rng(seed)
    coarse = random.integers(500, 5000, (4, 5, 4)).astype(np.uint16)
    values = coarse.repeat(-(-height // 4), 0).repeat(-(-width // 5), 1)[:height, :width]
    values[:8, :9] = 0
    return values


def test_a_file_an_array_and_what_training_sees_agree(segmenter: Segmenter, tmp_path: Path) -> None:
    values = scene()
    result = segmenter(write_tiff(tmp_path / "a.tif", values))
    raster = segmenter.read(values)
    again = segmenter.segment(raster, "a")
    assert np.array_equal(result.mask, again.mask)
    assert np.array_equal(result.mask, segmenter(values).mask)
    assert (result.name, again.name) == ("a", "a")
    x = prepare(raster, PREPROCESS, (64, 96))
    assert x.shape == (1, 64, 96, 2)
    assert np.array_equal(x[0, :40, :70].transpose(2, 0, 1), PREPROCESS.normalise(raster))
    assert x[0, 20, 30].tolist() == pytest.approx(((values[20, 30, [3, 0]].astype(float)) - (3000, 1000)) / (500, 250))
    assert not x[0, :8, :9].any()
    assert not x[0, 40:].any()


def test_where_nothing_was_measured_there_is_no_class(segmenter: Segmenter) -> None:
    result = segmenter(scene())
    assert np.all(result.mask[:8, :9] == 255)
    assert np.all(result.mask[8:] < 4)
    assert sum(result.shares.values()) == pytest.approx(1 - 72 / 2800)
    assert result.image.shape == (40, 70, 3)  # nir alone is shown, in grey
    assert not result.image[:8, :9].any()
    assert result.image[8:].max() == 255


@pytest.mark.parametrize("count", [1, 2])
def test_pictures_are_resized_band_by_band(count: int) -> None:
    raster = np.full((64, 128, count), 3500, np.float32)
    raster[:32, :64] = np.nan
    smaller, larger = resized(raster, (32, 64)), resized(raster, (96, 192))
    assert (smaller.shape, larger.shape) == ((32, 64, count), (96, 192, count))
    assert smaller.dtype == np.float32
    assert np.isnan(smaller[:16, :32]).all()
    assert np.all(smaller[16:] == 3500)


def test_multi_label_weights(weights: Weights) -> None:
    labels = dataclasses.replace(weights.labels, multi_label=True)
    segmenter = Segmenter(dataclasses.replace(weights, labels=labels), Runtime("torch", "cpu", "fp32"))
    result = segmenter(scene())
    assert result.mask.shape == (4, 40, 70)
    assert not result.mask[:, :8, :9].any()
    assert result.mask[:, 8:].any()
    assert result.image.shape == (40, 70, 3)


def test_windows_scales_and_flips(weights: Weights) -> None:
    testing = Testing(slide=(64, 32), scales=(1.0, 1.5), flip=True)
    segmenter = Segmenter(weights, Runtime("torch", "cpu", "fp32"), testing=testing)
    result = segmenter(scene(90, 140))
    assert result.mask.shape == (90, 140)
    assert np.all(result.mask[:8, :9] == 255)
    assert segmenter.probabilities(scene(90, 140)).shape == (4, 90, 140)


def test_predict_writes_masks_and_overlays(segmenter: Segmenter, tmp_path: Path) -> None:
    write_tiff(tmp_path / "in/a.tif", scene())
    write_tiff(tmp_path / "in/b.tif", scene()[..., :3])
    summary = predict_files(segmenter, [tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (1, 1)
    bad = next(record for record in summary.records() if not record.ok)
    assert bad.error is not None
    assert bad.error.startswith("has 3 bands, but 4 bands (red, green, blue, nir) are expected")
    with PIL.Image.open(tmp_path / "out/a.mask.png") as mask:
        assert np.array_equal(np.asarray(mask), segmenter(scene()).mask)


def test_8_bit_files_are_refused(segmenter: Segmenter) -> None:
    with pytest.raises(SegNextError, match="holds values of type uint8, training had uint16"):
        segmenter(scene().astype(np.uint8))


def test_weights_that_do_not_say_what_their_bands_are(weights: Weights) -> None:
    for preprocess in (Preprocess(), Preprocess((1.0, 2.0), (1.0, 1.0))):
        with pytest.raises(SegNextError, match=r"take 2 bands, but their preprocessing is for \d without names"):
            Segmenter(dataclasses.replace(weights, preprocess=preprocess), Runtime(device="cpu"))


def dataset(root: Path, bands: str) -> None:
    classes = "".join(
        f"  - {{name: {name}, color: [{i}, 0, 0]}}\n" for i, name in enumerate(weights_like().labels.classes)
    )
    write_tiff(root / "images/val/a.tif", scene())
    (root / "masks/val").mkdir(parents=True)
    PIL.Image.new("L", (70, 40), 1).save(root / "masks/val/a.png")
    (root / "dataset.yaml").write_text(f"classes:\n{classes}{bands}")


def test_eval_counts_what_was_measured(weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_weights(weights, tmp_path / "w.safetensors")
    dataset(tmp_path / "data", "bands: [red, green, blue, nir]\n")
    arguments = ["eval", "--data", str(tmp_path / "data"), "--weights", str(tmp_path / "w.safetensors")]
    engine = ["--engine", "torch", "--device", "cpu"]
    assert main([*arguments, *engine, "--json", str(tmp_path / "m.json")]) == 0
    assert json.loads((tmp_path / "m.json").read_text())["pixels"] == 40 * 70 - 72
    (tmp_path / "data/dataset.yaml").write_text(
        (tmp_path / "data/dataset.yaml").read_text().replace("red, green", "green, red")
    )
    assert main([*arguments, *engine]) == 2
    assert "names these bands: green, red, blue, nir; the weights" in capsys.readouterr().err


def test_weights_and_data_of_different_kinds(tmp_path: Path) -> None:
    for ours, theirs in ((BANDS, None), (None, BANDS)):
        with pytest.raises(SegNextError, match="none, 8-bit RGB pictures"):
            require_same_bands(ours, theirs, weights_name="w", data_name="d")
    require_same_bands(None, None, weights_name="w", data_name="d")
    require_same_bands(BANDS, dataclasses.replace(BANDS, chosen=("red",)), weights_name="w", data_name="d")
