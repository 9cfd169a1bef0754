"""Safetensors files: metadata and tensors by name."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from segnext.errors import SegNextError
from segnext.files import beside, replacing

if TYPE_CHECKING:
    from torch import Tensor

HEADER_BYTES = 16_000_000  # a network of 2,000 tensors has 0.3 million


@dataclass(frozen=True)
class Header:
    """What a safetensors file says before its tensors: texts of any kind, and the shapes of the tensors by name."""

    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]


def read_header(path: Path) -> Header:
    """The header of a safetensors file, read without torch.

    Raises:
        SegNextError: when the file is missing or damaged, or its header too large.
    """
    if not path.is_file():
        raise SegNextError(
            f"{path}: no such weights file{beside(path)}; give a .safetensors file or a training run's folder"
        )
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if HEADER_BYTES < length < path.stat().st_size:
            raise SegNextError(f"{path}: {length:,} bytes are too many for the header of weights; give the right file")
        with safe_open(path, framework="numpy") as opened:
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
            return Header(opened.metadata() or {}, shapes)
    except (SafetensorError, OSError) as error:
        raise SegNextError(
            f"{path}: not a readable safetensors file ({error}); official .pth files become one with "
            "'segnext convert IN.pth OUT.safetensors'"
        ) from error


def read_tensors(path: Path) -> dict[str, "Tensor"]:
    """The tensors, float16 as float32, of a safetensors file whose header could be read.

    Raises:
        SegNextError: when the file has been removed or damaged since.
    """
    import torch

    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SegNextError(f"{path}: can no longer be read ({error}); it was changed while it was in use") from error
    return {name: x.float() if x.dtype == torch.float16 else x for name, x in state.items()}


def save_tensors(state: Mapping[str, "Tensor"], metadata: dict[str, str], path: Path, *, half: bool = False) -> None:
    """Write tensors and metadata to `path`, through a temporary file; with `half`, see `save_weights`.

    The same content gives the same bytes, so that files can be told by their hashes.
    """
    import safetensors.torch

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
