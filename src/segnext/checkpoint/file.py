"""Our weights file: safetensors whose header carries everything needed to rebuild and use the model."""

import dataclasses
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from segnext.checkpoint.coverage import compare
from segnext.checkpoint.header import FORMAT, parse_header, read_metadata
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.network import SegNeXt, build
from segnext.preprocess import Preprocess


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

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the configuration and the tensors, hexadecimal."""
        digest = hashlib.sha256(repr(self.config).encode())
        for name, tensor in self.state.items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def load(self) -> "Weights":
        """These weights; a `WeightsFile` gives what it holds."""
        return self


def save_weights(weights: Weights, path: Path, *, half: bool = False) -> None:
    """Write `weights` to `path`, through a temporary file.

    With `half`, convolution weights are stored as float16, everything else stays float32.
    """
    save_safetensors(weights.state, metadata_of(weights), path, half=half)


def metadata_of(weights: Weights) -> dict[str, str]:
    """Everything but the tensors, as the header of our file has it and `parse_header` reads it."""
    header = {
        "model": dataclasses.asdict(weights.config),
        "labels": weights.labels.to_dict(),
        "preprocess": dataclasses.asdict(weights.preprocess),
        "provenance": weights.provenance,
    }
    return {"format": FORMAT, "segnext": json.dumps(header)}


def load_weights(path: Path) -> Weights:
    """Read a weights file; nothing in it is executed.

    Raises:
        SegNextError: when the file is missing, damaged or not one of ours.
    """
    metadata, state = read_safetensors(path)
    header = parse_header(metadata, path)
    try:
        with torch.device("meta"):
            wanted = build(header.config).state_dict()
    except (TypeError, ValueError, RuntimeError, SegNextError) as error:
        raise SegNextError(f"{path}: its header does not fit this version of segnext ({error})") from error
    compare(wanted, state).require(str(path), hint="the file is damaged, save or convert it again")
    return Weights(header.config, header.labels, header.preprocess, state, header.provenance)


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors, float16 as float32, of a safetensors file.

    Raises:
        SegNextError: when the file is missing or damaged.
    """
    metadata = read_metadata(path)
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return metadata, {name: x.float() if x.dtype == torch.float16 else x for name, x in state.items()}


def save_safetensors(state: Mapping[str, Tensor], metadata: dict[str, str], path: Path, *, half: bool = False) -> None:
    """Write tensors and metadata to `path`, through a temporary file; with `half`, see `save_weights`.

    The same content gives the same bytes, so that files can be told by their hashes.
    """
    stored = {
        name: (tensor.half() if half and tensor.ndim == 4 else tensor).detach().contiguous().cpu()
        for name, tensor in state.items()
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(_in_order(safetensors.torch.save(stored, metadata)))


def _in_order(content: bytes) -> tuple[bytes, memoryview]:
    """Head and tensors of a safetensors file, the metadata sorted, which the library writes in any order."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return struct.pack("<Q", len(text)) + text, memoryview(content)[8 + length :]
