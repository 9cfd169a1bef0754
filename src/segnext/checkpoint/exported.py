"""Exported files, of which what they say of themselves is read; nothing in them is executed.

Only the runtime that a file is for runs the network in it, see `inference.engines`.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from xml.etree import ElementTree

from segnext.errors import SegNextError
from segnext.files import beside

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "segnext export 1"
EXPORTED = {".onnx": "onnx", ".xml": "openvino", ".pt2": "torch"}  # what the export calls the format of each
HEADER = "header"  # among the metadata: what the header of the weights' file says
INSIDE = "extra/segnext.json"  # of a torch package, below its folder
MOST_TEXT = 16_000_000  # letters


class Exported(Mapping[str, "Tensor"]):
    """In place of the tensors of weights: the files that they went into, from which nobody takes them back."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def files(self) -> list[Path]:
        """All that the network is stored in."""
        return [self.path, self.path.with_suffix(".bin")] if self.path.suffix == ".xml" else [self.path]

    def copy(self, folder: Path) -> None:
        """Copy them into a folder."""
        for file in self.files:
            shutil.copyfile(file, folder / file.name)

    def __getitem__(self, name: str) -> NoReturn:
        self.refuse()

    def __iter__(self) -> Iterator[str]:
        self.refuse()

    def __len__(self) -> int:
        self.refuse()

    def refuse(self) -> NoReturn:
        """Say what there is in place of its tensors.

        Raises:
            SegNextError: always.
        """
        raise SegNextError(
            f"{self.path}: an exported network, which its own runtime runs as it is; for this, give the weights that "
            "it is from"
        )


def read_exported(path: Path) -> dict[str, str]:
    """What an exported file says of itself, by name: the texts of `export.deployed.metadata`.

    Raises:
        SegNextError: when it is missing, damaged, or not one that `segnext export` wrote.
    """
    if not path.is_file():
        raise SegNextError(f"{path}: no such file{beside(path)}; give an exported network or weights")
    found = {"onnx": _in_onnx, "openvino": _in_openvino, "torch": _in_torch}[EXPORTED[path.suffix]](path)
    if found.get("format") != FORMAT:
        raise SegNextError(
            f"{path}: a network, but not one that 'segnext export' wrote, so what its labels mean is not known"
        )
    if HEADER not in found:
        raise SegNextError(f"{path}: exported by an earlier version of segnext; export the weights again")
    return found


def _in_onnx(path: Path) -> dict[str, str]:
    if find_spec("onnx") is None:
        raise SegNextError(f"{path}: needs onnx, which is not installed; run: pip install 'segnext[onnxruntime]'")
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf has errors of its own
        raise _damaged(path, "ONNX", error) from error
    tensors = [*model.graph.initializer, *(one.t for node in model.graph.node for one in node.attribute)]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        raise SegNextError(f"{path}: keeps its numbers in other files, which 'segnext export' never does")
    return {entry.key: entry.value for entry in model.metadata_props}


def _in_openvino(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:  # OpenVINO writes none; expanded they may fill the memory
            raise ValueError("it declares entities")
        root = ElementTree.fromstring(text)
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise _damaged(path, "OpenVINO", error) from error
    if not path.with_suffix(".bin").is_file():
        raise SegNextError(f"{path}: its {path.stem}.bin is not beside it; copy both files")
    return {entry.tag: entry.get("value", "") for entry in root.iterfind("rt_info/segnext/*")}


def _in_torch(path: Path) -> dict[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(INSIDE)]
            if not entries:
                return {}
            if entries[0].file_size > MOST_TEXT:
                raise ValueError(f"{INSIDE} is too large")
            content = json.loads(archive.read(entries[0]))
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in content.items()}
    except (OSError, ValueError, AttributeError, RecursionError, zipfile.BadZipFile, NotImplementedError) as error:
        raise _damaged(path, "torch.export", error) from error


def _damaged(path: Path, what: str, error: Exception) -> SegNextError:
    problem = " ".join(str(error).split())[:200]
    return SegNextError(f"{path}: not a readable {what} file ({problem}); export or copy it again")


def require_runnable(path: Path) -> None:
    """Refuse a package of torch's.

    `torch.export.load` unpickles what a package holds, evaluates its expressions and calls what it names, and has no
    way to be told not to (2.13).

    Raises:
        SegNextError: that says what to do.
    """
    if EXPORTED[path.suffix] == "torch":
        raise SegNextError(
            f"{path}: torch executes what is stored in such a package when it opens it, so segnext does not; export "
            "the weights with --to onnx or --to openvino, or give them as they are"
        )


def about(found: Mapping[str, str], path: Path) -> dict[str, Any]:
    """What an exported file adds to what its weights say of themselves, for programs."""
    kept = ("input", "output", "precision", "version", "weights")
    return {"to": EXPORTED[path.suffix], **{name: found.get(name, "") for name in kept}}
