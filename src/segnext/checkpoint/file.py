"""Our weights file: safetensors whose header carries everything needed to rebuild and use the model."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.model.network import ModelConfig, SegNeXt, build
from segnext.preprocess import Preprocess

FORMAT = "segnext 1"


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
    state = {
        name: (tensor.half() if half and tensor.ndim == 4 else tensor).detach().contiguous().cpu()
        for name, tensor in weights.state.items()
    }
    metadata = {"format": FORMAT, "segnext": json.dumps(header)}
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata))


def load_weights(path: Path) -> Weights:
    """Read a weights file; nothing in it is executed.

    Raises:
        SegNextError: when the file is missing, damaged or not one of ours.
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
    if metadata.get("format") != FORMAT:
        raise SegNextError(
            f"{path}: a safetensors file without segnext's header; convert it with 'segnext convert IN OUT'"
        )
    try:
        header = json.loads(metadata["segnext"])
        config = ModelConfig(**_with_tuples(header["model"]))
        preprocess = Preprocess(**_with_tuples(header["preprocess"]))
        class_list, provenance = header["labels"], header["provenance"]
        wanted = _shapes(config)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, SegNextError) as error:
        raise SegNextError(f"{path}: its header does not fit this version of segnext ({error})") from error
    _check_complete(state, wanted, path)
    labels = Labels.from_dict(class_list, str(path))
    if len(labels) != config.num_classes:
        raise SegNextError(
            f"{path}: names {len(labels)} classes, but its network tells {config.num_classes} apart; "
            "save or convert it again"
        )
    state = {name: x.float() if x.dtype == torch.float16 else x for name, x in state.items()}
    return Weights(config, labels, preprocess, state, provenance)


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where our dataclasses have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _shapes(config: ModelConfig) -> dict[str, torch.Size]:
    """The shape of every tensor of the network."""
    with torch.device("meta"):
        return {name: x.shape for name, x in build(config).state_dict().items()}


def _check_complete(state: dict[str, Tensor], wanted: dict[str, torch.Size], path: Path) -> None:
    """Refuse a file whose tensors are not exactly those of the network it describes."""
    found = {name: x.shape for name, x in state.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise SegNextError(
            f"{path}: {len(wrong)} of {len(wanted)} tensors are missing, unexpected or of another shape, "
            f"'{wrong[0]}' first; the file is damaged, save or convert it again"
        )
