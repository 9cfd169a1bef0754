"""Our weights file: safetensors whose header carries everything needed to rebuild and use the model."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from segnext.checkpoint.coverage import compare
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.network import SegNeXt, build
from segnext.preprocess import Bands, Preprocess

FORMAT = "segnext 1"
ENCODER_FORMAT = "segnext encoder 1"


@dataclass(frozen=True)
class Weights:
    """Network configuration, meaning of the labels, preprocessing, provenance, and the state dict."""

    config: ModelConfig
    labels: Labels
    preprocess: Preprocess
    state: dict[str, Tensor]
    provenance: dict[str, Any] = field(default_factory=dict)

    def model(self) -> SegNeXt:
        """The network with these weights, in evaluation mode, float32."""
        with torch.device("meta"):  # no random start, which would take time and disturb the caller's random numbers
            model = build(self.config)
        model.load_state_dict({name: tensor.clone() for name, tensor in self.state.items()}, assign=True)
        return model.eval()


def save_weights(weights: Weights, path: Path, *, half: bool = False) -> None:
    """Write `weights` to `path`, through a temporary file.

    With `half`, convolution weights are stored as float16, everything else stays float32.
    """
    header = {
        "model": dataclasses.asdict(weights.config),
        "labels": weights.labels.to_dict(),
        "preprocess": dataclasses.asdict(weights.preprocess),
        "provenance": weights.provenance,
    }
    save_safetensors(weights.state, {"format": FORMAT, "segnext": json.dumps(header)}, path, half=half)


def load_weights(path: Path) -> Weights:
    """Read a weights file; nothing in it is executed.

    Raises:
        SegNextError: when the file is missing, damaged or not one of ours.
    """
    metadata, state = read_safetensors(path)
    if metadata.get("format") == ENCODER_FORMAT:
        raise SegNextError(
            f"{path}: holds an encoder alone, which segments nothing; start a training run from it with "
            "--encoder_weights"
        )
    if metadata.get("format") != FORMAT:
        raise SegNextError(
            f"{path}: a safetensors file without segnext's header; convert it with 'segnext convert IN OUT'"
        )
    try:
        header = json.loads(metadata["segnext"])
        config = ModelConfig(**_with_tuples(header["model"]))
        preprocess = _preprocess(header["preprocess"])
        class_list, provenance = header["labels"], header["provenance"]
        with torch.device("meta"):
            wanted = build(config).state_dict()
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, SegNextError) as error:
        raise SegNextError(f"{path}: its header does not fit this version of segnext ({error})") from error
    compare(wanted, state).require(str(path), hint="the file is damaged, save or convert it again")
    labels = Labels.from_dict(class_list, str(path))
    if len(labels) != config.num_classes:
        raise SegNextError(
            f"{path}: names {len(labels)} classes, but its network tells {config.num_classes} apart; "
            "save or convert it again"
        )
    return Weights(config, labels, preprocess, state, provenance)


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors, float16 as float32, of a safetensors file.

    Raises:
        SegNextError: when the file is missing or damaged.
    """
    if not path.is_file():
        raise SegNextError(f"{path}: no such weights file; give a .safetensors file or a training run's folder")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SegNextError(
            f"{path}: not a readable safetensors file ({error}); official .pth files become one with "
            "'segnext convert IN.pth OUT.safetensors'"
        ) from error
    return metadata, {name: x.float() if x.dtype == torch.float16 else x for name, x in state.items()}


def save_safetensors(state: Mapping[str, Tensor], metadata: dict[str, str], path: Path, *, half: bool = False) -> None:
    """Write tensors and metadata to `path`, through a temporary file; with `half`, see `save_weights`."""
    stored = {
        name: (tensor.half() if half and tensor.ndim == 4 else tensor).detach().contiguous().cpu()
        for name, tensor in state.items()
    }
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(stored, metadata))


def _preprocess(fields: dict[str, Any]) -> Preprocess:
    bands = fields.get("bands")
    return Preprocess(**_with_tuples(fields | {"bands": bands and Bands(**_with_tuples(bands))}))


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where our dataclasses have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
