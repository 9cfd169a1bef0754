"""Official checkpoint files (.pth): pickles, of which nothing is ever executed."""

import mmap
import pickle
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.checkpoint.unwrap import choose, said_beside, states
from segnext.errors import SegNextError
from segnext.files import beside
from segnext.silence import Shared, silenced

# Training logs that OpenMMLab's tools save beside the weights; numpy arrays and a class of theirs.
LOGS = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
    "builtins.getattr",
    "_codecs.encode",
)
LARGE_CALL = b"\nbytearray\n"


class _Inert:
    """Stands for an object whose content is not wanted: takes anything, does nothing."""

    def __new__(cls, *_: Any) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass

    def __reduce__(self) -> str:
        raise TypeError("a stand-in is never saved")


def _stand_ins() -> list[Any]:
    """A class without effect in the place of every name in `LOGS`, so that the weights beside them can be read."""
    return [type(name.rpartition(".")[2], (_Inert,), {"__module__": name.rpartition(".")[0]}) for name in LOGS]


def _allow(undo: ExitStack) -> None:
    undo.enter_context(silenced)  # torch remarks on how it was pickled
    undo.enter_context(torch.serialization.safe_globals(_stand_ins()))


stand_ins_allowed = Shared(_allow)


def read_pickle(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors by name in an official .pth file, bare or under any keys, and what its "meta" says, if there is one;
    nothing in it is executed.

    Raises:
        SegNextError: when the file is missing, damaged, not a checkpoint, wants to execute code, or wants more memory
            than its own size.
    """
    if not path.is_file():
        raise SegNextError(
            f"{path}: no such file{beside(path)}; give an official checkpoint (.pth) or a weights file of ours"
        )
    with path.open("rb") as file:
        begins = file.read(2)
    # Torch's archives are ZIPs, its older files bare pickles; an empty file is a download that failed.
    if begins not in (b"PK", b"") and begins[:1] != b"\x80":
        raise SegNextError(f"{path}: is no checkpoint; give an official .pth file or a weights file of ours")
    _require_size(path, _unpacked(path))
    try:
        with stand_ins_allowed:
            _require_small_calls(path)
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SegNextError(
            f"{path}: holds more than tensors and plain data, or is damaged, and is not loaded, because that could "
            "run code; download it again from its authors"
        ) from error
    except Exception as error:  # a damaged pickle fails in as many ways as there are opcodes
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SegNextError(f"{path}: not a readable checkpoint ({problem}); download it again") from error
    state = choose(list(states(content)))
    if state is None:
        raise SegNextError(f"{path}: holds no state dict; give a checkpoint of tensors by name")
    _require_size(path, sum(tensor.nbytes for tensor in state.values()))
    return state, dict(said_beside(content))


def _unpacked(path: Path) -> int:
    """Bytes that the file's content takes in memory, as far as its outside tells."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):  # torch's older form, or damaged
        return 0


def _require_small_calls(path: Path) -> None:
    """Refuse the one of the calls allowed by torch that fills as much memory as a number in the pickle says."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [entry for entry in archive.infolist() if entry.filename.endswith(".pkl")]
            found = any(LARGE_CALL in archive.read(entry) for entry in pickles)
    except (ValueError, zipfile.BadZipFile, NotImplementedError):  # torch's older form
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = content.find(LARGE_CALL) >= 0
    if found:
        raise pickle.UnpicklingError("calls bytearray")


def _require_size(path: Path, claimed: int) -> None:
    """Refuse content larger than the file: torch compresses nothing, and no tensor of a network repeats another's."""
    held = path.stat().st_size
    if claimed > held:
        raise SegNextError(
            f"{path}: a file of {held:,} bytes that would fill {claimed:,}, which no checkpoint does; download it again"
        )
