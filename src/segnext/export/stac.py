"""What an exported file takes and gives as a STAC item with the Machine Learning Model extension, for catalogues.

The fields are those of the extension's version 1.5 (github.com/stac-extensions/mlm).
"""

import datetime
from pathlib import Path
from typing import Any

from segnext.checkpoint.weights import Weights
from segnext.export.deployed import Interface
from segnext.model.config import ModelConfig

EXTENSIONS = (
    "https://stac-extensions.github.io/mlm/v1.5.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
)
# Framework, artefact type and media type of each format.
KINDS = {
    "onnx": ("ONNX", "onnx", "application/octet-stream; framework=onnx"),
    "openvino": ("OpenVINO", "openvino-ir", "application/xml; framework=openvino"),
    "torch": ("PyTorch", "torch.export.save", "application/octet-stream; framework=pytorch; profile=pt2"),
}


def item(weights: Weights, to: str, out: Path, about: dict[str, Any], interface: Interface) -> dict[str, Any]:
    """The item for the file `out` in format `to`.

    Args:
        weights: what was exported.
        to: "onnx", "openvino" or "torch".
        out: the file, which the item refers to by its name.
        about: what `metadata` says.
        interface: what goes in and comes out.
    """
    framework, artifact, media = KINDS[to]
    config = weights.config
    properties = {
        "datetime": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "bands": [{"name": name} for name in about["bands"]],
        "mlm:name": weights.labels.name,
        "mlm:architecture": "SegNeXt" if isinstance(config, ModelConfig) else type(config).__name__,
        "mlm:framework": framework,
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:pretrained": True,
        "mlm:total_parameters": sum(int(value.numel()) for value in weights.state.values()),
        "mlm:hyperparameters": {
            "mean": about["mean"],
            "std": about["std"],
            "normalised_by": "the caller" if interface.input == "float" else "the model",
            "stride": about["stride"],
        },
        "mlm:input": [_input(about, interface)],
        "mlm:output": [_output(weights, about, interface)],
    }
    asset = {
        "href": f"./{out.name}",
        "type": media,
        "title": f"{weights.labels.name}, {about['precision']}",
        "roles": ["mlm:model"],
        "mlm:artifact_type": artifact,
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(EXTENSIONS),
        "id": out.stem,
        "geometry": None,
        "properties": properties,
        "links": [],
        "assets": {"model": asset},
    }


def _input(about: dict[str, Any], interface: Interface) -> dict[str, Any]:
    bands = about["bands"]
    pictures = interface.input == "uint8" and bands == ["red", "green", "blue"]
    norms = zip(about["mean"], about["std"], strict=True)
    scaling = [{"type": "z-score", "mean": mean, "stddev": std} for mean, std in norms]
    return {
        "name": "picture",
        "bands": bands,
        "input": {
            "shape": [-1, -1, -1, len(bands)],
            "dim_order": ["batch", "height", "width", "bands"],
            "data_type": "uint8" if pictures else "float32",
        },
        "value_scaling": scaling if interface.input == "float" else None,
        "resize_type": None,
        "pre_processing_function": None,
    }


def _output(weights: Weights, about: dict[str, Any], interface: Interface) -> dict[str, Any]:
    labels = weights.labels
    colors = ("".join(f"{channel:02X}" for channel in color) for color in labels.colors)
    classes = [
        {"value": label, "name": name, "description": name, "color_hint": color}
        for label, (name, color) in enumerate(zip(labels.classes, colors, strict=True))
    ]
    logits = interface.output == "logits"
    return {
        "name": interface.output if logits else "labels",
        "bands": [],
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, -1, -1, len(labels)] if logits else [-1, -1, -1],
            "dim_order": ["batch", "height", "width", *(["class"] if logits else [])],
            "data_type": "float32" if logits else "uint8",
        },
        "classification:classes": classes,
        "post_processing_function": None,
    }
