"""With CVAT's own library, where it is installed."""

from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import torch

from segnext.checkpoint.weights import Weights
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess

cvat = pytest.importorskip("cvat_sdk.auto_annotation", reason="cvat-sdk is not installed")

from cvat_sdk.masks import decode_mask  # noqa: E402

from segnext.integrations.cvat import Function, create  # noqa: E402

CONFIG = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), 32, rank=4, num_classes=3, expansions=(2, 2, 2, 2))
LABELS = Labels("signs", ("ground", "sign", "sky"), ((1, 2, 3), (200, 0, 0), (0, 0, 200)), 255)


@pytest.fixture(scope="module")
def function() -> Function:
    torch.manual_seed(0)
    return Function(
        Segmenter(Weights(CONFIG, LABELS, Preprocess(), build(CONFIG).state_dict()), Runtime("torch", "cpu"))
    )


@pytest.fixture(scope="module")
def picture() -> PIL.Image.Image:
    rough = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)
    return PIL.Image.fromarray(rough.repeat(8, 0).repeat(8, 1))


def asked(threshold: float | None = None, polygons: bool = False) -> SimpleNamespace:
    return SimpleNamespace(frame_name="a.png", conf_threshold=threshold, conv_mask_to_poly=polygons)


def test_masks_are_the_segmenter_s(function: Function, picture: PIL.Image.Image) -> None:
    assert [label.name for label in function.spec.labels] == list(LABELS.classes)
    result = function.segmenter(picture)
    for threshold in (None, float(np.median(result.confidence))):
        sure = result.confidence >= (threshold or 0)
        left = np.where(sure, result.mask, 255)
        shapes = function.detect(asked(threshold), picture)
        assert [shape.label_id for shape in shapes] == [label for label in range(3) if (left == label).any()]
        for shape in shapes:
            mask = decode_mask(shape.points, image_width=72, image_height=48)
            assert shape.type.value == "mask"
            assert (mask == (left == shape.label_id)).all()


def test_polygons_in_their_order_are_the_mask(function: Function, picture: PIL.Image.Image) -> None:
    features = pytest.importorskip("rasterio.features")
    shapes = sorted(function.detect(asked(polygons=True), picture), key=lambda shape: shape.z_order)
    drawn = np.full((48, 72), 255, np.uint8)
    for shape in shapes:
        ring = np.reshape([*shape.points, *shape.points[:2]], (-1, 2)).tolist()
        inside = features.rasterize([({"type": "Polygon", "coordinates": [ring]}, 1)], drawn.shape)
        drawn[inside == 1] = shape.label_id
    assert (drawn == function.segmenter(picture).mask).all()


def test_cvat_makes_it_by_its_parameters() -> None:
    assert create(weights="segnext_t.camvid", engine="torch").segmenter.labels.classes[0] == "sky"
