"""CVAT: pre-annotation of its tasks, through the auto-annotation interface of its own command line.

    cvat-cli task auto-annotate 137 --function-module segnext.integrations.cvat -p weights=str:runs/mine

Labels are matched by name; where the project has only some of them, add `--allow-unmatched-labels`. With
`--conf-threshold 0.8` pixels of a lower probability belong to no shape, so that what is unsure is left to people. What
they corrected comes back by `segnext data import --from cvat`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cvat_sdk.auto_annotation as cvat
import numpy as np
import PIL.Image
from cvat_sdk import models
from cvat_sdk.masks import encode_mask

from segnext.checkpoint.find import DEFAULT
from segnext.inference.load import load
from segnext.inference.result import Result
from segnext.inference.runtime import Device, EngineName
from segnext.inference.segmenter import Segmenter


class Function:
    """A segmenter as CVAT calls it: for each picture a mask for each class that is there, or polygons.

    Attributes:
        segmenter: does the work.
        spec: the classes, by label.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        labels = [cvat.label_spec(name, label) for label, name in enumerate(segmenter.labels.classes)]
        self.spec = cvat.DetectionFunctionSpec(labels=labels)

    def detect(self, context: Any, image: PIL.Image.Image) -> Sequence[models.LabeledShapeRequest]:
        """Masks, or with `context.conv_mask_to_poly` polygons, of the pixels that are sure enough."""
        result = self.segmenter(image)
        if context.conf_threshold:
            none = np.uint8(result.labels.ignore if result.mask.ndim == 2 else 0)
            mask = np.where(result.confidence < context.conf_threshold, none, result.mask)
            result = replace(result, mask=mask)
        return self._polygons(result) if context.conv_mask_to_poly else self._masks(result)

    def _masks(self, result: Result) -> list[models.LabeledShapeRequest]:
        masks = ((label, result.where(label)) for label in range(len(result.classes)))
        return [cvat.mask(label, encode_mask(inside)) for label, inside in masks if inside.any()]

    def _polygons(self, result: Result) -> list[models.LabeledShapeRequest]:
        """Outlines, the largest lowest: CVAT's polygons have no holes, so what lies in a hole lies on top."""
        areas = sorted(result.to_polygons(), key=lambda area: -area.polygon.area)
        return [
            cvat.polygon(area.label, np.asarray(area.polygon.exterior.coords)[:-1].ravel().tolist(), z_order=height)
            for height, area in enumerate(areas)
        ]


def create(weights: str = DEFAULT, engine: EngineName = "auto", device: Device = "auto") -> Function:
    """What `--function-module` calls; `-p weights=str:NAME` names the weights, as `segnext.load` takes them."""
    return Function(load(weights, device=device, engine=engine))
