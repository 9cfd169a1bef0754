"""With the transformers library itself, where it is installed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from numpy.typing import NDArray

import segnext
from segnext.checkpoint.hub import save_folder
from segnext.checkpoint.weights import Weights
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels
from segnext.model.config import ModelConfig, NetworkConfig, preset
from segnext.model.families import build
from segnext.preprocess import Bands, Preprocess

library = pytest.importorskip("transformers", reason="the transformers library is not installed")

from segnext.integrations.transformers import (  # noqa: E402
    SegNextConfig,
    SegNextForSemanticSegmentation,
    SegNextImageProcessor,
)

SEGNEXT = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), 32, rank=4, num_classes=3, expansions=(2, 2, 2, 2))
CORNERS = replace(SEGNEXT, align_corners=True)
SEGFORMER = preset("segformer_b0", num_classes=3)
LABELS = Labels("signs", ("ground", "sign", "sky"), ((1, 2, 3), (200, 0, 0), (0, 0, 200)), 255)
RGB = Preprocess(short_side=64)
BANDS = Preprocess((3.0, 4.0), (2.0, 2.0), None, Bands(("red", "nir"), ("red", "nir")))


def weights_of(config: NetworkConfig, preprocess: Preprocess) -> Weights:
    torch.manual_seed(0)
    return Weights(config, LABELS, preprocess, build(config).state_dict())


def picture(height: int, width: int, bands: int = 3) -> NDArray[np.uint8]:
    rough = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, bands), np.uint8)
    return rough.repeat(8, 0).repeat(8, 1)[:height, :width]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_folder(weights_of(SEGNEXT, RGB), tmp_path / "weights")
    return tmp_path / "weights"


def loaded(folder: Path, **options: Any) -> tuple[Any, Any]:
    model = library.AutoModelForSemanticSegmentation.from_pretrained(folder, trust_remote_code=False, **options)
    return model, library.AutoImageProcessor.from_pretrained(folder)


@pytest.mark.parametrize(
    ("config", "preprocess", "bands"), [(SEGNEXT, RGB, 3), (CORNERS, RGB, 3), (SEGFORMER, RGB, 3)], ids=str
)
def test_labels_are_those_of_segnext(config: NetworkConfig, preprocess: Preprocess, bands: int, tmp_path: Path) -> None:
    weights = weights_of(config, preprocess)
    save_folder(weights, tmp_path)
    model, processor = loaded(tmp_path)
    assert type(model) is SegNextForSemanticSegmentation
    assert type(processor) is SegNextImageProcessor
    segmenter = Segmenter(weights, Runtime("torch", "cpu", "fp32"))
    for size in ((64, 96), (65, 131), (200, 90)):
        image = picture(*size, bands)
        with torch.no_grad():
            output = model(**processor(image))
        (labels,) = processor.post_process_semantic_segmentation(output, [size])
        assert labels.shape == size
        assert (labels.numpy() == segmenter(image).mask).mean() > 0.999


def test_bands_and_several_pictures_of_different_sizes(tmp_path: Path) -> None:
    config = replace(SEGNEXT, in_channels=2)
    save_folder(weights_of(config, BANDS), tmp_path)
    model, processor = loaded(tmp_path)
    images = [picture(40, 72, 2).astype(np.uint16), picture(64, 32, 2).astype(np.uint16)]
    inputs = processor(images, segmentation_maps=[np.ones((40, 72), np.uint8), np.zeros((64, 32), np.uint8)])
    assert inputs["pixel_values"].shape == (2, 2, 64, 96)
    assert inputs["labels"][0, :40, :72].unique().tolist() == [1]
    assert inputs["labels"][1, :, 32:].unique().tolist() == [255]
    labels = processor.post_process_semantic_segmentation(model(**inputs), [(40, 72), (64, 32)])
    assert [tuple(each.shape) for each in labels] == [(40, 72), (64, 32)]
    with pytest.raises(segnext.SegNextError, match="target sizes"):
        processor.post_process_semantic_segmentation(model(**inputs), [(40, 72)])


def test_the_pipeline_gives_a_mask_for_each_class(folder: Path, tmp_path: Path) -> None:
    PIL.Image.fromarray(picture(70, 90)).save(tmp_path / "street.png")
    found = library.pipeline("image-segmentation", model=str(folder))(str(tmp_path / "street.png"))
    mask = segnext.load(folder, engine="torch", precision="fp32")(tmp_path / "street.png").mask
    assert {each["label"] for each in found} == {LABELS.classes[label] for label in np.unique(mask)}
    total = np.sum([np.asarray(each["mask"]) > 0 for each in found], axis=0)
    assert (total == 1).all()  # each pixel is in one mask
    assert found[0]["mask"].size == (90, 70)


def test_other_classes_start_from_the_weights(folder: Path) -> None:
    model, _ = loaded(folder, num_labels=5, ignore_mismatched_sizes=True)
    assert model.config.network().num_classes == 5
    kept = weights_of(SEGNEXT, RGB).state
    assert all(torch.equal(x, kept[f"encoder.{name}"]) for name, x in model.encoder.state_dict().items())
    logits = model(torch.zeros(1, 3, 64, 64)).logits
    assert logits.shape[1] == 5
    assert logits.isfinite().all()


def test_the_trainer_trains_it_and_segnext_loads_what_it_saves(folder: Path, tmp_path: Path) -> None:
    model, processor = loaded(folder)
    images = [picture(64, 64), picture(64, 80)]
    masks = [np.ones((64, 64), np.uint8), np.full((64, 80), 2, np.uint8)]
    inputs = processor(images, segmentation_maps=masks)
    rows = [{name: inputs[name][row] for name in ("pixel_values", "labels")} for row in range(2)]
    arguments = library.TrainingArguments(
        str(tmp_path / "run"),
        max_steps=2,
        per_device_train_batch_size=2,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
    )
    trainer = library.Trainer(model, arguments, train_dataset=rows)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert trainer.train().training_loss > 0
    assert any(not torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    trainer.save_model(str(tmp_path / "saved"))
    processor.save_pretrained(tmp_path / "saved")
    segmenter = segnext.load(tmp_path / "saved", engine="torch", precision="fp32")
    assert segmenter.labels == LABELS
    again, processor = loaded(tmp_path / "saved")
    with torch.no_grad():
        output = again.eval()(**processor(images[1]))
    (labels,) = processor.post_process_semantic_segmentation(output, [(64, 80)])
    assert (labels.numpy() == segmenter(images[1]).mask).mean() > 0.999


def test_what_the_library_writes_is_what_we_write(folder: Path, tmp_path: Path) -> None:
    model, processor = loaded(folder)
    model.save_pretrained(tmp_path / "again")
    processor.save_pretrained(tmp_path / "again")
    ours, theirs = (
        json.loads((place / "preprocessor_config.json").read_text()) for place in (folder, tmp_path / "again")
    )
    assert theirs == ours
    assert SegNextConfig.from_pretrained(tmp_path / "again").network() == SEGNEXT


def test_a_network_without_weights_begins_as_ours_does() -> None:
    config = SegNextConfig(model={**vars(SEGNEXT)}, num_labels=4)
    torch.manual_seed(3)
    model = SegNextForSemanticSegmentation(config)
    torch.manual_seed(3)
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(build(replace(SEGNEXT, num_classes=4)).parameters(), model.parameters(), strict=True)
    )
    with pytest.raises(segnext.SegNextError, match=r"config\.json does not fit"):
        SegNextConfig(family="nothing").network()
